/** Debian's Chromium for the console's tests; undefined where it is not installed. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
export const chromiumMissing = !existsSync(EXECUTABLE);

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG 2.2 A and AA, one line each: rule, first element. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run(
          root: Document,
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const result = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return result.violations.map(
      (v) => `${v.id}: ${v.nodes[0]!.html.slice(0, 200)} :: ${v.nodes[0]!.failureSummary?.slice(0, 200)}`,
    );
  });
}

/** A page that remembers what went wrong in it. */
export async function openPage(
  browser: Browser,
  url: string,
  options: { width?: number; scheme?: 'light' | 'dark'; locale?: string } = {},
): Promise<{ page: Page; problems: string[] }> {
  const { width = 1280, scheme = 'light', locale = 'en-GB' } = options;
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: scheme,
    locale,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (m) => void (m.type() === 'error' && problems.push(m.text())));
  page.on('pageerror', (e) => void problems.push(e.message));
  await page.goto(url);
  return { page, problems };
}

/** The page shows `text` under its title `title`, without an error or a violation, in both themes and as wide as a phone. */
export async function expectSound(browser: Browser, url: string, title: string, text: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    const { page, problems } = await openPage(browser, url, { scheme });
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await page.getByText(text).first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll('[role=status] .mantine-Loader-root').length === 0);
    expect(await violations(page)).toEqual([]);
    if (scheme === 'dark') {
      await page.setViewportSize({ width: 360, height: 740 });
      await page.waitForFunction(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
      expect(await violations(page)).toEqual([]);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  }
}
