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
  const current = choices.find((c) => c.id === tenant);
  return (
    <>
      <NativeSelect
        aria-label={t('frame.tenant')}
        size="sm"
        value={tenant}
        style={{ maxWidth: 190 }}
        data={[
          ...(current || tenant === '' ? [] : [{ value: tenant, label: tenant }]),
          ...choices.map((c) => ({ value: c.id, label: c.synthetic ? `${c.name} (${t('demo.synthetic')})` : c.name })),
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
