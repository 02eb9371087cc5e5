// Runs before the first paint, so that a dark console never flashes white. A file of its own: the page forbids inline scripts.
(() => {
  let wanted = 'auto';
  try {
    wanted = localStorage.getItem('vigie-theme') || 'auto';
  } catch {
    // storage is blocked: the system decides
  }
  const dark = wanted === 'dark' || (wanted === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
