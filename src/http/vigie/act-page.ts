/** The two small pages behind a signed link: one that asks, one that says what was done. No script, no outside file. */
import type { LinkAction } from '../../incidents/signed-link.ts';

type Language = 'en' | 'fr' | 'de';

/** What the page is about: an incident, or a drill. */
export interface ActSubject {
  readonly id: string;
  readonly title: string;
  readonly state: string;
  readonly criticality?: string;
}

const WORDS: Readonly<Record<Language, Readonly<Record<LinkAction | 'done' | 'state' | 'hint', string>>>> = {
  en: {
    acknowledge: 'Acknowledge',
    snooze: 'Snooze for one hour',
    escalate: 'Escalate to the next level',
    resolve: 'Resolve',
    remediate: 'Run the armed playbooks',
    done: 'Done',
    state: 'State',
    hint: 'Nothing has happened yet: press the button.',
  },
  fr: {
    acknowledge: 'Prendre en charge',
    snooze: 'Mettre en veille une heure',
    escalate: 'Escalader au niveau suivant',
    resolve: 'Clore',
    remediate: 'Lancer les procédures armées',
    done: 'Fait',
    state: 'État',
    hint: "Rien n'a encore été fait : appuyez sur le bouton.",
  },
  de: {
    acknowledge: 'Übernehmen',
    snooze: 'Eine Stunde zurückstellen',
    escalate: 'An die nächste Stufe weitergeben',
    resolve: 'Schließen',
    remediate: 'Scharfe Abläufe starten',
    done: 'Erledigt',
    state: 'Zustand',
    hint: 'Es ist noch nichts geschehen: bitte den Knopf drücken.',
  },
};

export function confirmPage(incident: ActSubject, action: LinkAction, token: string, language: Language): string {
  const w = WORDS[language];
  return page(
    language,
    incident,
    `<p>${html(w.hint)}</p><form method="post" action="act?token=${html(encodeURIComponent(token))}"><button autofocus>${html(w[action])}</button></form>`,
  );
}

export function donePage(incident: ActSubject, action: LinkAction, language: Language): string {
  const w = WORDS[language];
  return page(language, incident, `<p role="status">${html(w.done)}: ${html(w[action])}</p>`);
}

function page(language: Language, i: ActSubject, inner: string): string {
  const w = WORDS[language];
  return `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>${html(i.id)} · Vigie</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}</style><h1>${html(i.id)}${i.criticality ? ` (${i.criticality})` : ''}</h1><p>${html(i.title)}</p><p>${html(w.state)}: ${html(i.state)}</p>${inner}</html>`;
}

export const html = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]!);
