/**
 * Sign-ins and privileges from the log of sshd, sudo, su and the account tools (auth.log, secure). Names and addresses
 * never become labels: they are personal data, and as many as an attacker likes.
 *
 *   node auth-log.mjs --file /var/log/auth.log --listen 127.0.0.1:9413 --tenant platform
 */
import { flags, follow, Registry, serve } from './exposition.mjs';

/** In this order; the first that matches decides. */
const PATTERNS = [
  [/sshd(?:-session)?\[\d+\]: Accepted (\w+)/, 'auth', 'success'],
  [/sshd(?:-session)?\[\d+\]: Failed (\w+) for invalid user/, 'auth', 'failure', 'unknown_account'],
  [/sshd(?:-session)?\[\d+\]: Failed (\w+) for/, 'auth', 'failure'],
  [/sshd(?:-session)?\[\d+\]: (?:error: )?maximum authentication attempts exceeded/, 'attempt', 'brute_force'],
  [
    /sshd(?:-session)?\[\d+\]: (?:Bad protocol version|banner exchange|Unable to negotiate|Did not receive identification)/,
    'attempt',
    'scan',
  ],
  [/sudo(?:\[\d+\])?:.*(?:incorrect password attempts?|authentication failure)/, 'auth', 'failure', undefined, 'sudo'],
  [/sudo(?:\[\d+\])?:.*user NOT in sudoers/, 'attempt', 'privilege'],
  [/sudo(?:\[\d+\])?:.*COMMAND=/, 'auth', 'success', undefined, 'sudo'],
  [/su(?:\[\d+\])?: .*(?:FAILED SU|authentication failure)/, 'auth', 'failure', undefined, 'su'],
  [/(?:useradd|adduser)\[\d+\]: new user/, 'privilege', 'account_created'],
  [/userdel\[\d+\]: delete user/, 'privilege', 'account_deleted'],
  [/(?:usermod|gpasswd)\[\d+\]: .*(?:add|added) .*(?:to|into) group/, 'privilege', 'group_joined'],
  [/(?:passwd|chpasswd)\[\d+\]: .*password (?:for .* )?changed/, 'privilege', 'password_changed'],
];

export function authMetrics({ tenant = '', registry = new Registry() } = {}) {
  const attempts = registry.counter('auth_attempts_total', 'Attempts to sign in.', ['tenant_id', 'result', 'method']);
  const intrusion = registry.counter('intrusion_attempts_total', 'What only attackers and mistakes do.', [
    'tenant_id',
    'kind',
  ]);
  const privileges = registry.counter('privilege_changes_total', 'Accounts and groups changed.', ['tenant_id', 'kind']);
  for (const result of ['success', 'failure']) attempts.inc({ tenant_id: tenant, result, method: 'password' }, 0);
  const METHODS = new Set(['password', 'publickey', 'keyboard-interactive', 'gssapi-with-mic', 'hostbased', 'none']);
  return {
    registry,
    line(text) {
      for (const [pattern, what, value, kind, method] of PATTERNS) {
        const m = pattern.exec(text);
        if (!m) continue;
        const found = method ?? (m[1] === 'keyboard' ? 'keyboard-interactive' : m[1]);
        if (what === 'auth')
          attempts.inc({ tenant_id: tenant, result: value, method: METHODS.has(found) || method ? found : 'other' });
        else if (what === 'attempt') intrusion.inc({ tenant_id: tenant, kind: value });
        else privileges.inc({ tenant_id: tenant, kind: value });
        if (kind) intrusion.inc({ tenant_id: tenant, kind });
        return;
      }
    },
  };
}

if (import.meta.main) {
  const f = flags({ file: '/var/log/auth.log', listen: '127.0.0.1:9413', tenant: '' });
  const metrics = authMetrics({ tenant: f.tenant });
  const tail = await follow(f.file, metrics.line);
  serve({ listen: f.listen, registry: metrics.registry, collect: tail.poll });
}
