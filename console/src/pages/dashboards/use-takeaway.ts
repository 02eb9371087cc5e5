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
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `caption`: what the picture says above the panels. */
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
    try {
      await load();
      window.print();
    } finally {
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
