/** Reads the fields of a multipart/form-data body, as Go's `Request.FormValue` does: files are no values. */
import { VigieError } from '../lib/errors.ts';

/** Parts of a body, as many as Go takes. */
export const PARTS_MAX = 1_000;

/** Throws `bad_data` for a body that is cut off, has no boundary or too many parts. */
export function multipartFields(contentType: string, body: Buffer): [name: string, value: string][] {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  if (!boundary) throw new VigieError('bad_data', 'the content type multipart/form-data names no boundary');
  const fields: [string, string][] = [];
  const delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  // the first delimiter may stand at the very start, without a line break before it
  const text = Buffer.concat([Buffer.from('\r\n'), body]);
  let at = text.indexOf(delimiter);
  for (let parts = 0; at >= 0; parts++) {
    const from = at + delimiter.length;
    if (text.toString('latin1', from, from + 2) === '--') return fields;
    if (parts >= PARTS_MAX) throw new VigieError('bad_data', `the form has more than ${PARTS_MAX} parts`);
    const end = text.indexOf(delimiter, from);
    // from the line break that ends the delimiter, so that a part without headers is found too
    const blank = text.indexOf('\r\n\r\n', from);
    if (end < 0 || blank < 0 || blank > end) break;
    const head = text.toString('utf8', from, blank);
    const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(head)?.[1] ?? '';
    const name = /;\s*name=(?:"([^"]*)"|([^\s;"]+))/i.exec(disposition);
    if (name && !/;\s*filename\*?=/i.test(disposition))
      fields.push([name[1] ?? name[2]!, text.toString('utf8', blank + 4, Math.max(blank + 4, end))]);
    at = end;
  }
  throw new VigieError('bad_data', 'the multipart form is not complete: its last boundary is missing');
}
