/**
 * html/template: finds out for every action where in the document its output lands and adds the escapers that keep data
 * from leaving that place. A template called from different places gets a copy for each. The trees handed in stay as
 * they are. Bounded, because nested loops are walked twice each.
 */
import {
  type Branch,
  type Command,
  type List,
  type Node,
  nodeText,
  type Pipe,
  type TemplateCall,
  type Tree,
} from '../ast.ts';
import { TemplateError } from '../errors.ts';
import { quoteGo } from '../quote.ts';
import {
  at,
  type Context,
  contextText,
  derivedName,
  type EscapeFault,
  failed,
  isComment,
  nudge,
  sameContext,
  TEXT,
} from './context.ts';
import { followText } from './literal-text.ts';

/** Nodes visited while escaping one template and what it calls. */
export const ESCAPE_STEPS_MAX = 500_000;
/** Lists within lists, across templates. */
export const ESCAPE_DEPTH_MAX = 600;

/** The trees to run instead, with escapers in place. Throws TemplateError where a place is ambiguous or unsafe. */
export function escapeTrees(trees: ReadonlyMap<string, Tree>, name: string): ReadonlyMap<string, Tree> {
  const work: Work = { trees, stepsLeft: ESCAPE_STEPS_MAX, depth: 0 };
  const escaper = new Escaper(work);
  const tree = trees.get(name);
  const call: TemplateCall = { kind: 'template', at: 0, name, pipe: undefined };
  const [c] = escaper.call(TEXT, call, tree ?? { name, parseName: name, source: '', root: [] });
  if (c.fault) throw new TemplateError(faultText(c.fault, name));
  if (c.state !== 'Text')
    throw new TemplateError(faultText({ description: `ends in a non-text context: ${contextText(c)}` }, name));
  return new Map([...trees, ...escaper.escaped]);
}

function faultText(fault: EscapeFault, name: string): string {
  if (fault.place !== undefined) return `html/template:${fault.place}: ${fault.description}`;
  if (fault.line !== undefined) return `html/template:${name}:${fault.line}: ${fault.description}`;
  return `html/template:${name === '' ? ' ' : `${name}: `}${fault.description}`;
}

interface Work {
  readonly trees: ReadonlyMap<string, Tree>;
  stepsLeft: number;
  depth: number;
}

/** Contexts in which a loop's body is left early. */
interface Loop {
  readonly breaks: { readonly c: Context; readonly node: Node }[];
  readonly continues: { readonly c: Context; readonly node: Node }[];
}

const PREDEFINED = new Set(['html', 'urlquery']);

class Escaper {
  readonly #work: Work;
  /** Output context by derived name; while a template is being escaped, what is assumed of it. */
  #output = new Map<string, Context>();
  readonly #called = new Set<string>();
  readonly escaped = new Map<string, Tree>();
  #loops: Loop[] = [];

  constructor(work: Work) {
    this.#work = work;
  }

  #fork(): Escaper {
    const copy = new Escaper(this.#work);
    copy.#output = new Map(this.#output);
    copy.#loops = [...this.#loops];
    return copy;
  }

  #keep(copy: Escaper): void {
    for (const [name, c] of copy.#output) this.#output.set(name, c);
    for (const [name, tree] of copy.escaped) this.escaped.set(name, tree);
    for (const name of copy.#called) this.#called.add(name);
  }

  // --- templates ----------------------------------------------------------------------------------------------------

  /** Escapes the called template for this place; answers the context behind it and the name of the copy. */
  call(c: Context, node: TemplateCall, tree: Tree): readonly [Context, string] {
    const name = derivedName(node.name, c);
    this.#called.add(name);
    const known = this.#output.get(name);
    if (known) return [known, name];
    const callee = this.#work.trees.get(node.name);
    if (!callee) return [failed(`no such template ${quoteGo(node.name)}`, { place: placeOf(tree, node) }), name];
    const target: Tree = name === node.name ? callee : { ...callee, name };
    const [first, firstFits] = this.#body(c, target);
    if (firstFits || first.state === 'Error') return [first, name];
    // it calls itself: its own answer may be the right assumption
    const [second, secondFits] = this.#body(first, target);
    if (secondFits) return [second, name];
    return [
      failed(`cannot compute output context for template ${name}`, { place: placeOf(target, target.root[0] ?? node) }),
      name,
    ];
  }

  /** One try from `start`, which is also what a call of the template within itself is taken to lead to. */
  #body(start: Context, tree: Tree): readonly [Context, boolean] {
    this.#output.set(tree.name, start);
    const copy = this.#fork();
    const [c, root] = copy.#list(start, tree.root, tree);
    const fits = c.state !== 'Error' && (!copy.#called.has(tree.name) || sameContext(start, c));
    if (fits) {
      this.#keep(copy);
      this.escaped.set(tree.name, { ...tree, root });
    }
    return [c, fits];
  }

  // --- nodes --------------------------------------------------------------------------------------------------------

  #list(start: Context, nodes: List, tree: Tree): readonly [Context, List] {
    if (++this.#work.depth > ESCAPE_DEPTH_MAX)
      throw new TemplateError(`html/template:${tree.name}: nested deeper than ${ESCAPE_DEPTH_MAX}`, true);
    let c = start;
    const out: Node[] = [];
    for (const [i, node] of nodes.entries()) {
      const [next, escaped] = this.#node(c, node, tree);
      out.push(escaped);
      c = next;
      if (c.state === 'Dead') {
        // what follows never runs
        out.push(...nodes.slice(i + 1));
        break;
      }
    }
    this.#work.depth--;
    return [c, out];
  }

  #node(c: Context, node: Node, tree: Tree): readonly [Context, Node] {
    if (--this.#work.stepsLeft < 0)
      throw new TemplateError(`html/template:${tree.name}: more than ${ESCAPE_STEPS_MAX} steps to escape`, true);
    switch (node.kind) {
      case 'text': {
        const [next, text] = followText(c, node.text);
        return [next, text === node.text ? node : { ...node, text }];
      }
      case 'action': {
        if (node.pipe.declares.length > 0) return [c, node];
        const [next, pipe] = escapeAction(c, node, tree);
        return [next, pipe === node.pipe ? node : { ...node, pipe }];
      }
      case 'template': {
        const [next, name] = this.call(c, node, tree);
        return [next, name === node.name ? node : { ...node, name }];
      }
      case 'break':
      case 'continue': {
        const loop = this.#loops[this.#loops.length - 1]!;
        (node.kind === 'break' ? loop.breaks : loop.continues).push({ c, node });
        return [at({ state: 'Dead' }), node];
      }
      default:
        return this.#branch(c, node, tree);
    }
  }

  #branch(c: Context, node: Branch, tree: Tree): readonly [Context, Node] {
    const isRange = node.kind === 'range';
    if (isRange) this.#loops.push({ breaks: [], continues: [] });
    let [behind, body] = this.#list(c, node.body, tree);
    if (isRange) {
      const loop = this.#loops.pop()!;
      if (behind.state !== 'Error') behind = joinLoop(behind, loop, tree);
      if (behind.state === 'Error') return [behind, node];
      // the second round starts where the first ended and must end there too
      const copy = this.#fork();
      const again: Loop = { breaks: [], continues: [] };
      copy.#loops.push(again);
      const [second] = copy.#list(behind, node.body, tree);
      behind = join(behind, second, node, tree, 'range');
      if (behind.fault)
        return [
          failed(`on range loop re-entry: ${behind.fault.description}`, faultPlace(behind.fault, tree, node)),
          node,
        ];
      behind = joinLoop(behind, again, tree);
      if (behind.state === 'Error') return [behind, node];
    }
    const [other, otherwise] = node.otherwise ? this.#list(c, node.otherwise, tree) : [c, undefined];
    return [join(behind, other, node, tree, node.kind), { ...node, body, ...(otherwise ? { otherwise } : {}) }];
  }
}

function placeOf(tree: Tree, node: { readonly at: number }): string {
  const before = tree.source.slice(0, node.at);
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1), 'utf8');
  return `${tree.parseName}:${before.split('\n').length}:${column}`;
}

const faultPlace = (fault: EscapeFault, tree: Tree, node: Node): Omit<EscapeFault, 'description'> =>
  fault.place !== undefined ? { place: fault.place } : { line: Number(placeOf(tree, node).split(':').at(-2)) };

function joinLoop(start: Context, loop: Loop, tree: Tree): Context {
  let c = start;
  for (const [what, exits] of [
    ['break', loop.breaks],
    ['continue', loop.continues],
  ] as const)
    for (const exit of exits) {
      c = join(c, exit.c, exit.node, tree, 'range');
      if (c.fault) return failed(`at range loop ${what}: ${c.fault.description}`, faultPlace(c.fault, tree, exit.node));
    }
  return c;
}

/** The context in which both branches may have ended; a fault when nothing safe covers both. */
function join(a: Context, b: Context, node: Node, tree: Tree, word: string): Context {
  if (a.state === 'Error' || b.state === 'Dead') return a;
  if (b.state === 'Error' || a.state === 'Dead') return b;
  if (sameContext(a, b)) return a;
  if (sameContext({ ...a, urlPart: b.urlPart }, b)) return { ...a, urlPart: 'Unknown' };
  if (sameContext({ ...a, jsCtx: b.jsCtx }, b)) return { ...a, jsCtx: 'Unknown' };
  const [na, nb] = [nudge(a), nudge(b)];
  if (!(sameContext(na, a) && sameContext(nb, b))) {
    const joined = join(na, nb, node, tree, word);
    if (joined.state !== 'Error') return joined;
  }
  return failed(`{{${word}}} branches end in different contexts: ${contextText(a)}, ${contextText(b)}`, {
    place: placeOf(tree, node),
  });
}

// --- actions ------------------------------------------------------------------------------------------------------------

function escapeAction(start: Context, node: Node & { readonly kind: 'action' }, tree: Tree): readonly [Context, Pipe] {
  const c = nudge(start);
  const { commands } = node.pipe;
  for (const [i, command] of commands.entries()) {
    const first = command.args[0]!;
    if (first.kind !== 'identifier' || !PREDEFINED.has(first.name)) continue;
    const unquoted = c.state === 'Attr' && c.delim === 'SpaceOrTagEnd' && first.name === 'html';
    if (i < commands.length - 1 || unquoted)
      return [
        failed(`predefined escaper ${quoteGo(first.name)} disallowed in template`, { place: placeOf(tree, node) }),
        node.pipe,
      ];
  }
  if (c.state === 'Error') return [c, node.pipe];
  const names: string[] = [];
  if (!addEscapers(c, names))
    return [
      failed(`${nodeText(node)} appears in an ambiguous context within a URL`, { place: placeOf(tree, node) }),
      node.pipe,
    ];
  if (c.delim === 'SpaceOrTagEnd') names.push('nospaceescaper');
  else if (c.delim !== 'None') names.push('attrescaper');
  const next: Context =
    c.state === 'JS' ? { ...c, jsCtx: 'DivOp' } : c.state === 'Tag' ? { ...c, state: 'AttrName' } : c;
  return [next, withEscapers(node.pipe, names)];
}

const ONE_ESCAPER: Partial<Record<Context['state'], string>> = {
  MetaContentURL: 'urlfilter',
  JS: 'jsvalescaper',
  JSDqStr: 'jsstrescaper',
  JSSqStr: 'jsstrescaper',
  JSTmplLit: 'jstmpllitescaper',
  JSRegexp: 'jsregexpescaper',
  CSS: 'cssvaluefilter',
  Text: 'htmlescaper',
  RCDATA: 'rcdataescaper',
  AttrName: 'htmlnamefilter',
  Tag: 'htmlnamefilter',
  Srcset: 'srcsetescaper',
};

/** False when the place within a URL is not known. */
function addEscapers(c: Context, names: string[]): boolean {
  switch (c.state) {
    case 'URL':
    case 'CSSDqStr':
    case 'CSSSqStr':
    case 'CSSDqURL':
    case 'CSSSqURL':
    case 'CSSURL':
      if (c.urlPart === 'Unknown') return false;
      if (c.urlPart === 'QueryOrFrag') names.push('urlescaper');
      else {
        if (c.urlPart === 'None') names.push('urlfilter');
        names.push(c.state === 'CSSDqStr' || c.state === 'CSSSqStr' ? 'cssescaper' : 'urlnormalizer');
      }
      return true;
    default: {
      const one = isComment(c.state) ? 'commentescaper' : ONE_ESCAPER[c.state];
      if (one) names.push(one);
      return true;
    }
  }
}

/** Escapers that do the same as one the author may write. */
const SAME_AS: Readonly<Record<string, string>> = {
  _html_template_attrescaper: 'html',
  _html_template_htmlescaper: 'html',
  _html_template_rcdataescaper: 'html',
  _html_template_urlescaper: 'urlquery',
  _html_template_urlnormalizer: 'urlquery',
};
const meaning = (name: string): string => SAME_AS[name] ?? name;

/** The second adds nothing behind the first. */
const REDUNDANT: Readonly<Record<string, readonly string[]>> = {
  _html_template_commentescaper: ['_html_template_attrescaper', '_html_template_htmlescaper'],
  _html_template_cssescaper: ['_html_template_attrescaper'],
  _html_template_jsregexpescaper: ['_html_template_attrescaper'],
  _html_template_jsstrescaper: ['_html_template_attrescaper'],
  _html_template_jstmpllitescaper: ['_html_template_attrescaper'],
  _html_template_urlescaper: ['_html_template_urlnormalizer'],
};

const nameOf = (command: Command | undefined): string | undefined => {
  const first = command?.args[0];
  return first?.kind === 'identifier' ? first.name : undefined;
};

function withEscapers(pipe: Pipe, short: readonly string[]): Pipe {
  if (short.length === 0) return pipe;
  const names = short.map((n) => `_html_template_${n}`);
  let commands = [...pipe.commands];
  const calls = (name: string): Command => ({ at: pipe.at, args: [{ kind: 'identifier', at: pipe.at, name }] });
  const append = (command: Command): void => {
    const [last, next] = [nameOf(commands[commands.length - 1]), nameOf(command)];
    if (last !== undefined && next !== undefined && REDUNDANT[last]?.includes(next)) return;
    commands.push(command);
  };
  const last = commands[commands.length - 1]!;
  const written = nameOf(last);
  if (written !== undefined && PREDEFINED.has(written)) {
    // `html "a" "b"`: its arguments are joined first, so that the escaper can move
    if (commands.length === 1 && last.args.length > 1) {
      const first = { kind: 'identifier', at: last.args[0]!.at, name: '_eval_args_' } as const;
      commands = [{ at: last.at, args: [first, ...last.args.slice(1)] }];
      append(calls(written));
    }
    let twice = false;
    names.forEach((name, i) => {
      if (meaning(name) !== meaning(written)) return;
      names[i] = written;
      twice = true;
    });
    if (twice) commands.pop();
  }
  const present = new Set(commands.map(nameOf).flatMap((n) => (n === undefined ? [] : [meaning(n)])));
  for (const name of names) if (!present.has(meaning(name))) append(calls(name));
  return { ...pipe, commands };
}
