/** The console's languages: one catalogue each, fetched when chosen; missing keys are a test failure, not a fallback. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type { en } from '../locales/en.ts';

export type Language = 'en' | 'fr' | 'de';
export type Key = keyof typeof en;
export const LANGUAGES: readonly { readonly id: Language; readonly name: string }[] = [
  { id: 'en', name: 'English' },
  { id: 'fr', name: 'Français' },
  { id: 'de', name: 'Deutsch' },
];

const LOADERS: Readonly<Record<Language, () => Promise<Record<string, string>>>> = {
  en: async () => (await import('../locales/en.ts')).en,
  fr: async () => (await import('../locales/fr.ts')).fr,
  de: async () => (await import('../locales/de.ts')).de,
};

export function preferredLanguage(): Language {
  const stored = read('vigie-language');
  const wanted = [stored, ...navigator.languages].map((l) => l?.slice(0, 2));
  return (wanted.find((l) => l === 'en' || l === 'fr' || l === 'de') as Language | undefined) ?? 'en';
}

export function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined; // storage is blocked
  }
}
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is blocked: the choice lasts as long as the page
  }
}

export async function startI18n(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
    resources: {},
    returnEmptyString: false,
  });
  await setLanguage(preferredLanguage());
}

export async function setLanguage(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, 'translation'))
    i18next.addResourceBundle(language, 'translation', await LOADERS[language]());
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  remember('vigie-language', language);
}
