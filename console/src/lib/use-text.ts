/** `t` with checked keys, the locale, and formatters bound to language and time zone. */
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { formatAgo, formatDate, formatValue } from './format-value.ts';
import type { Key, Language } from './i18n.ts';
import { useView } from './view.ts';

export function useText() {
  const { t: raw, i18n } = useTranslation();
  const locale = i18n.language as Language;
  const { timeZone } = useView();
  const t = useCallback((key: Key, values?: Record<string, string | number>): string => raw(key, values ?? {}), [raw]);
  return {
    t,
    locale,
    value: (v: number | null | undefined, unit?: string, decimals?: number) =>
      formatValue(v, { unit, decimals, locale, timeZone }),
    date: (ms: number) => formatDate(ms, locale, timeZone),
    ago: (ms: number) => formatAgo(ms, Date.now(), locale),
  };
}
