/** Which tenant is looked at. Shows only those that the session grants; demonstration tenants say that they are synthetic. */
import { Badge, NativeSelect } from '@mantine/core';
import { useSession } from '../../api/session.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

export function TenantSwitcher() {
  const { t } = useText();
  const { tenant, set } = useView();
  const session = useSession();
  const choices = session?.tenants ?? [];
  const own = choices.filter((c) => !c.synthetic);
  const made = choices.filter((c) => c.synthetic);
  const current = choices.find((c) => c.id === tenant);
  return (
    <>
      <NativeSelect
        aria-label={t('frame.tenant')}
        size="sm"
        value={tenant}
        style={{ maxWidth: 220 }}
        data={[
          ...(current || tenant === '' ? [] : [{ value: tenant, label: tenant }]),
          ...own.map((c) => ({ value: c.id, label: c.name })),
          ...(made.length > 0
            ? [{ group: t('demo.synthetic'), items: made.map((c) => ({ value: c.id, label: c.name })) }]
            : []),
        ]}
        onChange={(event) => set({ tenant: event.currentTarget.value })}
      />
      {current?.synthetic && (
        <Badge color="yellow" variant="outline" c="var(--v-warn)">
          {t('demo.synthetic')}
        </Badge>
      )}
    </>
  );
}
