/**
 * A part of the page as PNG, made in the browser: the element is cloned with its style sheets into an SVG's
 * foreignObject, canvases become images of themselves, and the SVG is drawn. Nothing leaves the browser.
 */
export const PICTURE_PIXELS_MAX = 16_000;
const CAPTION_PX = 30;

export async function pictureOf(
  element: HTMLElement,
  background: string,
  caption: string,
  padding = 12,
): Promise<Blob> {
  const box = element.getBoundingClientRect();
  const width = Math.ceil(box.width) + 2 * padding;
  const height = Math.ceil(element.scrollHeight) + 2 * padding + CAPTION_PX;
  // a browser draws no more than this along a side: a very long dashboard gets fewer pixels a point
  const scale = Math.min(devicePixelRatio < 2 ? 2 : devicePixelRatio, PICTURE_PIXELS_MAX / Math.max(width, height));
  const clone = element.cloneNode(true) as HTMLElement;
  const canvases = [...element.querySelectorAll('canvas')];
  for (const [i, copy] of [...clone.querySelectorAll('canvas')].entries()) {
    const from = canvases[i]!;
    const image = document.createElement('img');
    image.src = from.toDataURL();
    image.style.cssText = copy.style.cssText;
    image.style.width = `${from.clientWidth}px`;
    image.style.height = `${from.clientHeight}px`;
    image.className = copy.className;
    copy.replaceWith(image);
  }
  for (const control of clone.querySelectorAll('.no-print')) control.remove();
  clone.style.margin = '0';
  clone.style.width = `${Math.ceil(box.width)}px`;

  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', String(width));
  svg.setAttribute('height', String(height));
  for (const { name, value } of document.documentElement.attributes)
    if (name.startsWith('data-')) svg.setAttribute(name, value);
  const style = document.createElementNS('http://www.w3.org/1999/xhtml', 'style');
  style.textContent = styleText();
  const foreign = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject');
  foreign.setAttribute('width', '100%');
  foreign.setAttribute('height', '100%');
  const body = document.createElementNS('http://www.w3.org/1999/xhtml', 'body') as HTMLElement;
  body.style.cssText = `margin:0;padding:${padding}px;background:${background};box-sizing:border-box;height:${height}px`;
  const head = document.createElement('div');
  head.textContent = caption;
  head.style.cssText = `height:${CAPTION_PX}px;font-weight:600;overflow:hidden`;
  body.append(head, clone);
  foreign.append(style, body);
  svg.append(foreign);

  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas');
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((b) => (b ? resolve(b) : reject(new Error('the picture is too large for this browser')))),
  );
}

function styleText(): string {
  return [...document.styleSheets]
    .flatMap((sheet) => {
      try {
        return [...sheet.cssRules].map((rule) => rule.cssText);
      } catch {
        return []; // a sheet of another origin, such as an extension's
      }
    })
    .join('\n');
}
