/** Language, theme and sign-out. */
import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core';
import { IconCheck, IconLogout, IconUserCircle } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useSession } from '../../api/session.ts';
import { savePreferences, signOut } from '../../api/vigie.ts';
import { LANGUAGES, setLanguage } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';

export function Settings() {
  const { t, locale } = useText();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const session = useSession();
  const queries = useQueryClient();
  // kept in this browser in any case; on the server when it can
  const keep = (change: object): void => void savePreferences(change).catch(() => undefined);
  const mark = (on: boolean) => (on ? <IconCheck size={14} aria-hidden /> : <span style={{ width: 14 }} />);
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={t('settings.title')}>
          <IconUserCircle size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {session?.principal && <Menu.Label c="var(--v-muted)">{session.principal.name}</Menu.Label>}
        <Menu.Label c="var(--v-muted)">{t('settings.theme')}</Menu.Label>
        {(['light', 'dark', 'auto'] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            leftSection={mark(colorScheme === scheme)}
            onClick={() => {
              setColorScheme(scheme);
              keep({ theme: scheme });
            }}
          >
            {t(`settings.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label c="var(--v-muted)">{t('settings.language')}</Menu.Label>
        {LANGUAGES.map(({ id, name }) => (
          <Menu.Item
            key={id}
            lang={id}
            leftSection={mark(locale === id)}
            onClick={() => {
              void setLanguage(id);
              keep({ language: id });
            }}
          >
            {name}
          </Menu.Item>
        ))}
        {session?.principal?.kind === 'session' && (
          <>
            <Menu.Divider />
            <Menu.Item
              leftSection={<IconLogout size={14} aria-hidden />}
              onClick={() =>
                void signOut().finally(() => {
                  queries.clear();
                  location.assign('/');
                })
              }
            >
              {t('settings.signOut')}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
