/** Sign-in with an access key or a local account. The secret lives in the form only. */
import { Button, PasswordInput, SegmentedControl, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { SessionAnswer } from '../../../../src/http/contract/session.ts';
import { setCsrfToken } from '../../api/client.ts';
import { signIn } from '../../api/vigie.ts';
import { Settings } from '../../components/frame/settings.tsx';
import { Problem } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';

export function SignInPage({ session }: { readonly session: SessionAnswer }) {
  const { t } = useText();
  const queries = useQueryClient();
  const methods = session.methods.filter((m) => m !== 'proxy');
  const [method, setMethod] = useState<string>(methods[0] ?? 'key');
  const [key, setKey] = useState('');
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const enter = useMutation({
    mutationFn: () => signIn(method === 'key' ? { key } : { user, password }),
    onSuccess: (answer) => {
      setCsrfToken(answer.csrfToken);
      // what was asked before belongs to nobody now; the session itself is replaced, not removed: the frame watches it
      queries.removeQueries({ predicate: (q) => q.queryKey[0] !== 'session' });
      queries.setQueryData(['session'], answer);
    },
  });
  return (
    <main style={{ display: 'grid', placeItems: 'center', minHeight: '100dvh', padding: 16 }}>
      <title>{`${t('signIn.title')} · Vigie`}</title>
      <form
        className="panel"
        style={{ width: 'min(400px, 100%)', gap: 12, padding: 24 }}
        onSubmit={(event) => {
          event.preventDefault();
          enter.mutate();
        }}
      >
        <div style={{ display: 'flex', gap: 10, alignItems: 'center' }}>
          <img src="/favicon.svg" alt="" width={32} height={32} />
          <h1 style={{ fontSize: 20, margin: 0, flex: 1 }}>{t('signIn.title')}</h1>
          <Settings />
        </div>
        {methods.length > 1 && (
          <SegmentedControl
            aria-label={t('signIn.title')}
            value={method}
            onChange={setMethod}
            data={methods.map((m) => ({ value: m, label: t(`signIn.${m}`) }))}
          />
        )}
        {method === 'key' ? (
          <PasswordInput
            label={t('signIn.key')}
            description={t('signIn.keyHint')}
            autoComplete="off"
            required
            value={key}
            onChange={(e) => setKey(e.currentTarget.value)}
          />
        ) : (
          <>
            <TextInput
              label={t('signIn.user')}
              autoComplete="username"
              required
              value={user}
              onChange={(e) => setUser(e.currentTarget.value)}
            />
            <PasswordInput
              label={t('signIn.password')}
              autoComplete="current-password"
              required
              value={password}
              onChange={(e) => setPassword(e.currentTarget.value)}
            />
          </>
        )}
        {enter.error && <Problem error={enter.error} />}
        <Button type="submit" loading={enter.isPending}>
          {t('signIn.enter')}
        </Button>
      </form>
    </main>
  );
}
