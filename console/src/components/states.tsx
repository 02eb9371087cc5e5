/** Loading, empty, error and no-data: every page and panel uses these, so that each state looks and reads the same. */
import { Alert, Button, Loader, Text } from '@mantine/core';
import { IconAlertTriangle, IconMoodEmpty } from '@tabler/icons-react';
import { type ReactNode, useEffect } from 'react';
import { ApiError } from '../api/client.ts';
import { isMissingCode } from '../lib/new-version.ts';
import { useText } from '../lib/use-text.ts';
import { version } from '../lib/version.ts';

export function Loading() {
  const { t } = useText();
  return (
    <div role="status" style={{ display: 'flex', gap: 10, alignItems: 'center', padding: 16 }}>
      <Loader size="sm" aria-hidden /> <span className="muted">{t('state.loading')}</span>
    </div>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div style={{ textAlign: 'center', padding: '24px 12px' }}>
      <IconMoodEmpty size={28} aria-hidden className="muted" />
      <Text fw={600} size="sm" mt={4}>
        {title}
      </Text>
      {children && (
        <Text size="sm" className="muted" component="div" maw={560} mx="auto">
          {children}
        </Text>
      )}
    </div>
  );
}

export function Problem({ error, retry }: { readonly error: unknown; readonly retry?: (() => void) | undefined }) {
  const { t } = useText();
  const status = error instanceof ApiError ? error.status : undefined;
  const title =
    status === 0
      ? t('error.unreachable')
      : status === 403
        ? t('error.forbidden')
        : status === 404
          ? t('error.absent')
          : t('error.title');
  return (
    <Alert color="red" variant="outline" icon={<IconAlertTriangle aria-hidden />} title={title} role="alert">
      <div className="mono">{error instanceof Error ? error.message : String(error)}</div>
      {retry && (
        <Button size="xs" mt="xs" variant="default" onClick={retry}>
          {t('action.retry')}
        </Button>
      )}
    </Alert>
  );
}

export function PageError({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  useEffect(() => {
    if (isMissingCode(error)) void version.missing();
  }, [error]);
  return (
    <div style={{ padding: 16, maxWidth: 720 }}>
      <Problem error={error} retry={retry} />
    </div>
  );
}

/** Shows `children` with the data once it is there, and the right state before, without or instead. */
export function QueryView<T>({
  query,
  children,
}: {
  readonly query: {
    readonly data: T | undefined;
    readonly error: unknown;
    readonly isLoading: boolean;
    readonly refetch: () => unknown;
  };
  readonly children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Problem error={query.error} retry={() => void query.refetch()} />;
  return <Loading />;
}

export function Page({
  title,
  actions,
  children,
}: {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <>
      <title>{`${title} · Vigie`}</title>
      <div style={{ display: 'flex', gap: 12, alignItems: 'center', flexWrap: 'wrap', marginBottom: 12 }}>
        <h1 style={{ fontSize: 20, margin: 0, flex: 1, minWidth: 140 }}>{title}</h1>
        {actions && (
          <span className="no-print" style={{ display: 'contents' }}>
            {actions}
          </span>
        )}
      </div>
      {children}
    </>
  );
}

export function Panel({
  title,
  actions,
  children,
  label,
}: {
  readonly title: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly label?: string;
}) {
  return (
    <section className="panel" aria-label={label ?? (typeof title === 'string' ? title : undefined)}>
      <header>
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}
