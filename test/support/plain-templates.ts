/** Templates for tests that are not about templates: plain text is itself, the usual default becomes its own name. */
import type { TemplatesFactory } from '../../src/alerting/notify/template-data.ts';
import { VigieError } from '../../src/lib/errors.ts';

const plain = (template: string): string => template.replace(/\{\{\s*template "([^"]+)"[^}]*\}\}/g, '[$1]');

export const plainTemplates: TemplatesFactory = () => ({
  text: plain,
  html: plain,
  check(template) {
    if ((template.match(/\{\{/g)?.length ?? 0) !== (template.match(/\}\}/g)?.length ?? 0))
      throw new VigieError('bad_config', 'template: unclosed action');
  },
});
