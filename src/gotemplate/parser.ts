/**
 * Tokens to trees: the whole template language. Functions are checked by name here, as Go does, so that a misspelt
 * function is a fault at load time. Not here: what values are (executor.ts) and escaping (html/).
 */
import { type Command, type List, type Node, nodeText, type Operand, type Pipe, type Tree } from './ast.ts';
import { parseConstant } from './constant.ts';
import { TemplateError } from './errors.ts';
import { type Token, type TokenKind, tokenize } from './lexer.ts';
import { quoteGo, unquoteGo } from './quote.ts';

/** Longest source of one template file or field, in UTF-16 units. */
export const SOURCE_LENGTH_MAX = 1_000_000;
/** Nesting of control structures and of parentheses, each. */
export const NESTING_MAX = 200;

/** Does a function of this name exist? */
export type HasFunction = (name: string) => boolean;

type Ending = 'end' | 'else';

/**
 * All trees of one source: the one named `name` and every `define` and `block` in it. Throws TemplateError.
 */
export function parseTemplate(name: string, source: string, hasFunction: HasFunction): ReadonlyMap<string, Tree> {
  if (source.length > SOURCE_LENGTH_MAX)
    throw new TemplateError(
      `template: ${name}:1: source of ${source.length} characters, at most ${SOURCE_LENGTH_MAX}`,
      true,
    );
  return new Parser(name, source, hasFunction).run();
}

/** Nothing but space: such a definition never replaces one with content. */
export function isEmptyTree(root: List): boolean {
  return root.every((n) => n.kind === 'text' && n.text.trim() === '');
}

class Parser {
  readonly #name: string;
  readonly #source: string;
  readonly #hasFunction: HasFunction;
  readonly #tokens: readonly Token[];
  readonly #trees = new Map<string, Tree>();
  #next = 0;
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #nesting = 0;
  #parens = 0;
  #actionLine = 0;

  constructor(name: string, source: string, hasFunction: HasFunction) {
    this.#name = name;
    this.#source = source;
    this.#hasFunction = hasFunction;
    this.#tokens = tokenize(source);
  }

  run(): ReadonlyMap<string, Tree> {
    const root: Node[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'eof') break;
      const after = this.#tokens[this.#next + 1];
      if (token.kind === 'open' && after?.kind === 'keyword' && after.text === 'define') {
        this.#next += 2;
        this.#define();
        continue;
      }
      const node = this.#textOrAction();
      if (typeof node === 'string') this.#fail(`unexpected {{${node}}}`);
      root.push(node);
    }
    this.#add(this.#name, root);
    return this.#trees;
  }

  #add(name: string, root: List): void {
    const known = this.#trees.get(name);
    if (known && !isEmptyTree(known.root)) {
      if (!isEmptyTree(root)) this.#fail(`template: multiple definition of template ${quoteGo(name)}`);
      return;
    }
    this.#trees.set(name, { name, parseName: this.#name, source: this.#source, root });
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #take(): Token {
    const token = this.#peek();
    if (this.#next < this.#tokens.length) this.#next++;
    return token;
  }

  #fail(message: string, line = (this.#tokens[Math.max(this.#next - 1, 0)] ?? this.#peek()).line): never {
    throw new TemplateError(`template: ${this.#name}:${line}: ${message}`);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') this.#fail(`unexpected ${tokenText(token)} in ${context}`, token.line);
    let started = '';
    if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
      started = ` in action started at ${this.#name}:${this.#actionLine}`;
      if (token.text.endsWith(' action')) started = started.slice(' in action'.length);
    }
    this.#fail(token.text + started, token.line);
  }

  #expect(kind: TokenKind, context: string): Token {
    const token = this.#take();
    if (token.kind !== kind) this.#unexpected(token, context);
    return token;
  }

  /** A template of its own within this source: fresh variables, no range around it. */
  #separate<T>(body: () => T): T {
    const [variables, rangeDepth] = [this.#variables, this.#rangeDepth];
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const result = body();
    this.#variables = variables;
    this.#rangeDepth = rangeDepth;
    return result;
  }

  #define(): void {
    const context = 'define clause';
    const token = this.#take();
    const name = this.#templateName(token, context);
    this.#expect('close', context);
    this.#separate(() => {
      const [root, ending] = this.#list();
      if (ending !== 'end') this.#fail(`unexpected {{${ending}}} in ${context}`);
      this.#add(name, root);
    });
  }

  #templateName(token: Token, context: string): string {
    if (token.kind !== 'string' && token.kind !== 'raw-string') this.#unexpected(token, context);
    return this.#unquote(token);
  }

  #unquote(token: Token): string {
    const text = unquoteGo(token.text);
    if (text === undefined) this.#fail('invalid syntax', token.line);
    return text;
  }

  /** Everything up to `end` or `else`. */
  #list(): [List, Ending] {
    if (++this.#nesting > NESTING_MAX)
      throw new TemplateError(`template: ${this.#name}:${this.#peek().line}: nested deeper than ${NESTING_MAX}`, true);
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'eof') {
      const node = this.#textOrAction();
      if (typeof node === 'string') {
        this.#nesting--;
        return [nodes, node];
      }
      nodes.push(node);
    }
    this.#fail('unexpected EOF', this.#peek().line);
  }

  #textOrAction(): Node | Ending {
    const token = this.#take();
    if (token.kind === 'text') return { kind: 'text', at: token.at, text: token.text };
    if (token.kind !== 'open') this.#unexpected(token, 'input');
    this.#actionLine = token.line;
    const node = this.#action();
    this.#actionLine = 0;
    return node;
  }

  #action(): Node | Ending {
    const token = this.#peek();
    if (token.kind === 'keyword') {
      this.#take();
      switch (token.text) {
        case 'block':
          return this.#block();
        case 'break':
        case 'continue':
          return this.#jump(token.text, token.at);
        case 'else': {
          const next = this.#peek();
          // "else if" and "else with" leave the second word for #control
          if (!isKeyword(next, 'if') && !isKeyword(next, 'with')) this.#expect('close', 'else');
          return 'else';
        }
        case 'end':
          this.#expect('close', 'end');
          return 'end';
        case 'if':
        case 'range':
        case 'with':
          return this.#control(token.text);
        case 'template':
          return this.#template();
        default:
          this.#next--;
      }
    }
    const pipe = this.#pipe('command', 'close');
    return { kind: 'action', at: token.at, pipe };
  }

  #jump(kind: 'break' | 'continue', at: number): Node {
    const token = this.#take();
    if (token.kind !== 'close') this.#unexpected(token, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind, at };
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, 'close');
    if (kind === 'range') this.#rangeDepth++;
    const [body, ending] = this.#list();
    if (kind === 'range') this.#rangeDepth--;
    let otherwise: List | undefined;
    if (ending === 'else') {
      if (kind !== 'range' && isKeyword(this.#peek(), kind)) {
        this.#take();
        if (++this.#nesting > NESTING_MAX)
          throw new TemplateError(
            `template: ${this.#name}:${this.#peek().line}: nested deeper than ${NESTING_MAX}`,
            true,
          );
        otherwise = [this.#control(kind)];
        this.#nesting--;
      } else {
        const [list, last] = this.#list();
        if (last !== 'end') this.#fail(`expected end; found {{${last}}}`);
        otherwise = list;
      }
    }
    this.#variables.length = scope;
    return { kind, at: pipe.at, pipe, body, ...(otherwise ? { otherwise } : {}) };
  }

  #block(): Node {
    const context = 'block clause';
    const token = this.#take();
    const name = this.#templateName(token, context);
    const pipe = this.#pipe(context, 'close');
    this.#separate(() => {
      const [root, ending] = this.#list();
      if (ending !== 'end') this.#fail(`unexpected {{${ending}}} in ${context}`);
      this.#add(name, root);
    });
    return { kind: 'template', at: token.at, name, pipe };
  }

  #template(): Node {
    const context = 'template clause';
    const token = this.#take();
    const name = this.#templateName(token, context);
    let pipe: Pipe | undefined;
    if (this.#peek().kind === 'close') this.#take();
    else pipe = this.#pipe(context, 'close');
    return { kind: 'template', at: token.at, name, pipe };
  }

  #pipe(context: string, end: TokenKind): Pipe {
    const at = this.#peek().at;
    const declares: string[] = [];
    let assigns = false;
    while (this.#peek().kind === 'variable') {
      const variable = this.#peek();
      const after = this.#tokens[this.#next + 1];
      if (after?.kind === 'assign' || after?.kind === 'declare') {
        this.#next += 2;
        assigns = after.kind === 'assign';
        this.#declare(variable.text, declares);
        break;
      }
      if (after?.kind !== 'char' || after.text !== ',') break;
      this.#next += 2;
      this.#declare(variable.text, declares);
      if (context !== 'range' || declares.length > 1) this.#fail(`too many declarations in ${context}`);
      const kind = this.#peek().kind;
      if (kind !== 'variable' && kind !== 'close' && kind !== 'right-paren')
        this.#fail('range can only initialize variables');
    }
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === end) break;
      if (!STARTS_OPERAND.has(token.kind)) this.#unexpected(this.#take(), context);
      commands.push(this.#command());
    }
    this.#take();
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    commands.slice(1).forEach((c, i) => {
      if (CONSTANT.has(c.args[0]!.kind)) this.#fail(`non executable command in pipeline stage ${i + 2}`);
    });
    return { kind: 'pipe', at, declares, assigns, commands };
  }

  #declare(name: string, declares: string[]): void {
    declares.push(name);
    this.#variables.push(name);
  }

  #command(): Command {
    const at = this.#peek().at;
    const args: Operand[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand) args.push(operand);
      const token = this.#peek();
      if (operand && token.spaced) continue;
      if (token.kind === 'close' || token.kind === 'right-paren') break;
      this.#take();
      if (token.kind !== 'pipe') this.#unexpected(token, 'operand');
      break;
    }
    if (args.length === 0) this.#fail('empty command');
    return { at, args };
  }

  /** A term and the fields that follow it without space. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (!term) return undefined;
    const path: string[] = [];
    const at = this.#peek().at;
    while (this.#peek().kind === 'field' && !this.#peek().spaced) path.push(this.#take().text.slice(1));
    if (path.length === 0) return term;
    if (term.kind === 'field' || term.kind === 'variable') return { ...term, at, path: [...term.path, ...path] };
    if (CONSTANT.has(term.kind)) this.#fail(`unexpected . after term ${quoteGo(nodeText(term))}`);
    return { kind: 'chain', at, node: term, path };
  }

  #term(): Operand | undefined {
    const token = this.#peek();
    if (!STARTS_OPERAND.has(token.kind)) return undefined;
    this.#take();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        if (!this.#hasFunction(text)) this.#fail(`function ${quoteGo(text)} not defined`);
        return { kind: 'identifier', at, name: text };
      case 'dot':
        return { kind: 'dot', at };
      case 'nil':
        return { kind: 'nil', at };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quoteGo(text)}`);
        return { kind: 'variable', at, path: [text] };
      case 'field':
        return { kind: 'field', at, path: [text.slice(1)] };
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' };
      case 'number':
      case 'char-constant': {
        const constant = parseConstant(text, token.kind === 'char-constant', at);
        return typeof constant === 'string' ? this.#fail(constant) : constant;
      }
      case 'left-paren': {
        if (++this.#parens > NESTING_MAX)
          throw new TemplateError(`template: ${this.#name}:${token.line}: max expression depth exceeded`, true);
        const pipe = this.#pipe('parenthesized pipeline', 'right-paren');
        this.#parens--;
        return pipe;
      }
      default:
        return { kind: 'string', at, value: this.#unquote(token), source: text };
    }
  }
}

const STARTS_OPERAND = new Set<TokenKind>([
  'bool',
  'char-constant',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'raw-string',
  'string',
  'variable',
  'left-paren',
]);

/** Operands that cannot take fields or stand behind a `|`. */
const CONSTANT = new Set<Operand['kind']>(['bool', 'dot', 'nil', 'number', 'string']);

const isKeyword = (token: Token, word: string): boolean => token.kind === 'keyword' && token.text === word;

function tokenText(token: Token): string {
  if (token.kind === 'eof') return 'EOF';
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`;
  const chars = [...token.text];
  return chars.length > 10 ? `${quoteGo(chars.slice(0, 10).join(''))}...` : quoteGo(token.text);
}
