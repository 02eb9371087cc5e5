/** Taking a dashboard away: as a picture, on paper (PDF), or as a snapshot. All panels are loaded first. */
import { useMantineColorScheme } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type RefObject, useCallback, useRef, useState } from 'react';
import { download } from '../../lib/csv.ts';
import { pictureOf } from '../../lib/dashboard/picture.ts';
import type { PanelData } from './use-panel-data.ts';

/** Longest wait for the panels below the fold; then what is there is taken. */
const LOAD_MS_MAX = 20_000;
const POLL_MS = 100;
const DRAW_MS = 400;
/** A browser that never tells the end of its printing gets its page back after this. */
const PRINT_MS_MAX = 120_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** On each sheet: what it shows, and its number. */
export function marginBoxes(caption: string): string {
  const text = caption
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[\n\r<]/g, ' ');
  const font = 'font: 9px system-ui, sans-serif; color: #525c66;';
  return `@page { @bottom-left { content: "${text}"; ${font} } @bottom-right { content: counter(page) " / " counter(pages); ${font} } }`;
}

/** `caption`: what the picture says above the panels, and each sheet below them. */
export function useTakeaway(name: string, caption: string, grid: RefObject<HTMLDivElement | null>) {
  const queries = useQueryClient();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [everything, setEverything] = useState(false);
  const kept = useRef(new Map<string, PanelData>());
  const keep = useCallback((key: string, data: PanelData) => void kept.current.set(key, data), []);

  const load = async (): Promise<void> => {
    setEverything(true);
    await pause(DRAW_MS);
    const panels = { queryKey: ['panel'] };
    for (let waited = 0; waited < LOAD_MS_MAX && queries.isFetching(panels) > 0; waited += POLL_MS)
      await pause(POLL_MS);
    await pause(DRAW_MS);
  };

  const picture = async (): Promise<void> => {
    await load();
    try {
      if (!grid.current) return;
      const background = getComputedStyle(document.documentElement).getPropertyValue('--v-bg');
      download(`${name}.png`, 'image/png', await pictureOf(grid.current, background, caption));
    } finally {
      setEverything(false);
    }
  };
  const print = async (): Promise<void> => {
    const scheme = colorScheme;
    // paper is white and as wide as A4 across: the charts are drawn anew for it
    setColorScheme('light');
    document.documentElement.classList.add('printing');
    const margins = document.createElement('style');
    margins.textContent = marginBoxes(caption);
    document.head.append(margins);
    try {
      await load();
      // some browsers print after the call has returned: the page stays as it is until they say that they are done
      const done = new Promise((resolve) => addEventListener('afterprint', resolve, { once: true }));
      window.print();
      await Promise.race([done, pause(PRINT_MS_MAX)]);
    } finally {
      margins.remove();
      document.documentElement.classList.remove('printing');
      setColorScheme(scheme);
      setEverything(false);
    }
  };
  const collect = async (): Promise<Record<string, PanelData>> => {
    await load();
    setEverything(false);
    return Object.fromEntries(kept.current);
  };
  return { everything, keep, picture, print, collect };
}
