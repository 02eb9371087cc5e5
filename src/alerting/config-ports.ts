/** What reading a configuration needs from outside. */
import type { TemplatesFactory } from './notify/template-data.ts';

export interface ConfigPorts {
  readonly templates: TemplatesFactory;
  /** Text of a file of the server, or of all files a glob names. Absent: the configuration may name none. */
  readonly readFiles?: (pattern: string) => readonly { readonly name: string; readonly text: string }[];
}
