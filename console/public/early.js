// Runs before everything else, so that a dark console never flashes white, and so that who it is, the words and the first
// page's code and figures are fetched beside the application instead of one after the other. A file of its own: the page
// forbids inline scripts. What it fetched is taken by src/api/early.ts.
(() => {
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is blocked: the system decides
    }
  };
  const wanted = stored('vigie-theme') || 'auto';
  const dark = wanted === 'dark' || (wanted === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');

  const meta = document.querySelector('meta[name=vigie-early]');
  const code = new Map((meta?.content ?? '').split(' ').map((pair) => pair.split('=')));
  const preload = (href) => {
    if (!href) return;
    const link = document.createElement('link');
    link.rel = 'modulepreload';
    link.href = href;
    document.head.append(link);
  };
  const languages = [stored('vigie-language'), ...navigator.languages].map((l) => l?.slice(0, 2));
  preload(code.get(languages.find((l) => l === 'en' || l === 'fr' || l === 'de') ?? 'en'));

  const json = (path) =>
    fetch(path, { credentials: 'same-origin', headers: { accept: 'application/json' } }).then(
      (answer) => (answer.ok ? answer.json() : undefined),
      () => undefined,
    );
  const session = json('/vigie/v1/session');
  window.vigieEarly = { session };
  if (location.pathname !== '/') return;
  preload(code.get('/'));
  window.vigieEarly.overview = session.then(async (who) => {
    const tenant = new URLSearchParams(location.search).get('tenant') ?? who?.defaultTenant;
    if (who?.state !== 'signed_in' || tenant === undefined) return undefined;
    const prefix = tenant === '' ? '' : `/t/${encodeURIComponent(tenant)}`;
    return { tenant, answer: await json(`${prefix}/vigie/v1/overview`) };
  });
})();
