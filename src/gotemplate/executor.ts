/**
 * Runs parsed templates: Go's text/template rules for dot, variables, fields, methods, functions and control flow, with
 * errors worded and placed as Go does. Bounded in steps, output and depth, because users write templates. Not here:
 * escaping for HTML, which html/ adds to the trees before they run. One long class: its parts call each other in rings.
 */
import {
  type Branch,
  type Command,
  type List,
  type Node,
  nodeText,
  type Operand,
  type Pipe,
  type TemplateCall,
  type Tree,
} from './ast.ts';
import { BUILTINS } from './builtins.ts';
import { FunctionError, TemplateError } from './errors.ts';
import { printValueText } from './format.ts';
import { absentElement, assignable, integerOf, kindOf, nilOf, typeText } from './parameters.ts';
import { quoteGo } from './quote.ts';
import {
  basicOf,
  type Functions,
  GoFunction,
  GoMap,
  GoScalar,
  GoSlice,
  GoStruct,
  type GoValue,
  type ParamType,
  truth,
  typeName,
} from './value.ts';

/** Nodes, commands, iterations and characters handled (32 are a step) of one execution; some seconds at most. */
export const STEPS_MAX = 3_000_000;
/** Length of the text of one execution, and of any one string on the way, in UTF-16 units. */
export const OUTPUT_LENGTH_MAX = 10_000_000;
/** Templates calling templates. */
export const DEPTH_MAX = 500;
/** Lists of nodes within lists, across templates; bounds the call stack. */
export const LIST_DEPTH_MAX = 700;
/** Elements of one list or map that a function makes: each `append` copies. */
export const ELEMENTS_MAX = 10_000;
/** Working out a local time takes as long as this many steps. */
const TIME_COST = 30;

export interface ExecuteOptions {
  readonly trees: ReadonlyMap<string, Tree>;
  readonly functions: Functions;
  readonly stepsMax?: number;
  readonly outputLengthMax?: number;
}

/** The text of template `tree` over `data`. Throws TemplateError. */
export function execute(tree: Tree, data: GoValue, options: ExecuteOptions): string {
  return new Executor(options).run(tree, data);
}

interface Variable {
  readonly name: string;
  value: GoValue;
}

/** No value was piped in: not the same as nil. */
const MISSING = Symbol('missing');
type Final = GoValue | typeof MISSING;
type Signal = 'break' | 'continue' | undefined;

class Executor {
  readonly #trees: ReadonlyMap<string, Tree>;
  readonly #functions: Functions;
  readonly #out: string[] = [];
  readonly #outputMax: number;
  #outputLeft: number;
  #stepsLeft: number;
  readonly #stepsMax: number;
  #depth = 0;
  #listDepth = 0;
  #tree!: Tree;
  #node: Operand | Command | Node | undefined;
  #variables: Variable[] = [];

  constructor(options: ExecuteOptions) {
    this.#trees = options.trees;
    this.#functions = options.functions;
    this.#outputMax = options.outputLengthMax ?? OUTPUT_LENGTH_MAX;
    this.#outputLeft = this.#outputMax;
    this.#stepsMax = options.stepsMax ?? STEPS_MAX;
    this.#stepsLeft = this.#stepsMax;
  }

  run(tree: Tree, data: GoValue): string {
    this.#tree = tree;
    this.#variables = [{ name: '$', value: data }];
    try {
      this.#list(tree.root, data);
    } catch (error) {
      // the stack of whoever called was deep already, or a text outgrew what the runtime can hold
      if (error instanceof RangeError) this.#fail(`too deep or too long: ${error.message}`, true);
      throw error;
    }
    return this.#out.join('');
  }

  // --- faults -------------------------------------------------------------------------------------------------------

  #fail(message: string, limit = false): never {
    const tree = this.#tree;
    const node = this.#node;
    if (!node) throw new TemplateError(`template: ${tree.name}: ${message}`, limit);
    const before = tree.source.slice(0, node.at);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1), 'utf8');
    throw new TemplateError(
      `template: ${tree.parseName}:${line}:${column}: executing ${quoteGo(tree.name)} at <${nodeText(node)}>: ${message}`,
      limit,
    );
  }

  #step(count = 1): void {
    this.#stepsLeft -= count;
    if (this.#stepsLeft < 0) this.#fail(`more than ${this.#stepsMax} steps`, true);
  }

  #write(text: string): void {
    this.#outputLeft -= text.length;
    this.#step(text.length >> 5);
    if (this.#outputLeft < 0) this.#fail(`output of more than ${this.#outputMax} characters`, true);
    this.#out.push(text);
  }

  // --- nodes --------------------------------------------------------------------------------------------------------

  #list(nodes: List, dot: GoValue): Signal {
    if (++this.#listDepth > LIST_DEPTH_MAX) this.#fail(`nested deeper than ${LIST_DEPTH_MAX}`, true);
    let signal: Signal;
    for (const node of nodes) {
      signal = this.#walk(node, dot);
      if (signal) break;
    }
    this.#listDepth--;
    return signal;
  }

  #walk(node: Node, dot: GoValue): Signal {
    this.#step();
    this.#node = node;
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.declares.length === 0) {
          this.#node = node;
          this.#print(node, value);
        }
        return undefined;
      }
      case 'if':
      case 'with': {
        const mark = this.#variables.length;
        const value = this.#pipe(node.pipe, dot);
        let signal: Signal;
        if (truth(value)) signal = this.#list(node.body, node.kind === 'with' ? value : dot);
        else if (node.otherwise) signal = this.#list(node.otherwise, dot);
        this.#variables.length = mark;
        return signal;
      }
      case 'range':
        return this.#range(node, dot);
      case 'template':
        return this.#template(node, dot);
      default:
        return node.kind;
    }
  }

  #print(node: Node, value: GoValue): void {
    if (value === undefined) this.#write('<no value>');
    else if (value instanceof GoFunction) this.#fail(`can't print ${nodeText(node)} of type ${value.goType}`);
    else this.#write(this.#guard(() => printValueText(value)));
  }

  #range(node: Branch, dot: GoValue): Signal {
    const mark = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    const inner = this.#variables.length;
    const { declares, assigns } = node.pipe;
    let ran = false;
    let outer: Signal;
    const iterate = (index: GoValue, element: GoValue): boolean => {
      ran = true;
      this.#step();
      const one = declares.length;
      if (one > 0) {
        if (assigns) this.#set(declares[0]!, one > 1 ? index : element);
        else this.#variables[inner - 1]!.value = element;
      }
      if (one > 1) {
        if (assigns) this.#set(declares[1]!, element);
        else this.#variables[inner - 2]!.value = index;
      }
      const signal = this.#list(node.body, element);
      this.#variables.length = inner;
      return signal !== 'break';
    };
    const basic = basicOf(value);
    if (typeof basic === 'bigint') {
      if (declares.length > 1) this.#fail(`can't use ${basic} to iterate over more than one variable`);
      const like = (i: bigint): GoValue =>
        value instanceof GoScalar ? new GoScalar(value.goType, i, value as object) : i;
      for (let i = 0n; i < basic; i++) if (!iterate(undefined, like(i))) break;
    } else if (basic instanceof GoSlice) {
      let i = 0n;
      for (const item of basic.items) if (!iterate(i++, item)) break;
    } else if (basic instanceof GoMap) {
      for (const [key, item] of basic.sorted()) if (!iterate(key, item)) break;
    } else if (basic !== undefined) this.#fail(`range can't iterate over ${printValueText(value)}`);
    if (!ran && node.otherwise) outer = this.#list(node.otherwise, dot);
    this.#variables.length = mark;
    return outer;
  }

  #template(node: TemplateCall, dot: GoValue): undefined {
    const tree = this.#trees.get(node.name);
    if (!tree) this.#fail(`template ${quoteGo(node.name)} not defined`);
    if (this.#depth >= DEPTH_MAX) this.#fail(`exceeded maximum template depth (${DEPTH_MAX})`, true);
    const data = node.pipe ? this.#pipe(node.pipe, dot) : undefined;
    const [caller, variables] = [this.#tree, this.#variables];
    this.#depth++;
    this.#tree = tree;
    this.#variables = [{ name: '$', value: data }];
    this.#list(tree.root, data);
    this.#depth--;
    this.#tree = caller;
    this.#variables = variables;
    return undefined;
  }

  // --- variables ----------------------------------------------------------------------------------------------------

  #set(name: string, value: GoValue): void {
    for (let i = this.#variables.length - 1; i >= 0; i--)
      if (this.#variables[i]!.name === name) {
        this.#variables[i]!.value = value;
        return;
      }
    this.#fail(`undefined variable: ${name}`);
  }

  #get(name: string): GoValue {
    for (let i = this.#variables.length - 1; i >= 0; i--)
      if (this.#variables[i]!.name === name) return this.#variables[i]!.value;
    this.#fail(`undefined variable: ${name}`);
  }

  // --- pipelines ----------------------------------------------------------------------------------------------------

  #pipe(pipe: Pipe, dot: GoValue): GoValue {
    this.#node = pipe;
    let value: Final = MISSING;
    for (const command of pipe.commands) value = this.#command(command, dot, value);
    const result = value === MISSING ? undefined : value;
    for (const name of pipe.declares) {
      if (pipe.assigns) this.#set(name, result);
      else this.#variables.push({ name, value: result });
    }
    return result;
  }

  #command(command: Command, dot: GoValue, final: Final): GoValue {
    this.#step();
    const first = command.args[0]!;
    switch (first.kind) {
      case 'field':
        return this.#field(first, dot, command.args, final);
      case 'chain':
        return this.#chain(first, dot, command.args, final);
      case 'identifier':
        return this.#function(first.name, first, command, dot, command.args, final);
      case 'pipe':
        this.#noArguments(command.args, final);
        return this.#pipe(first, dot);
      case 'variable':
        return this.#variable(first, dot, command.args, final);
      default:
    }
    this.#node = first;
    this.#noArguments(command.args, final);
    if (first.kind === 'nil') this.#fail('nil is not a command');
    return this.#constant(first, dot);
  }

  #constant(node: Operand, dot: GoValue): GoValue {
    switch (node.kind) {
      case 'dot':
        return dot;
      case 'bool':
      case 'string':
        return node.value;
      case 'number':
        if (node.ideal === undefined) this.#fail(`${node.source} overflows int`);
        return node.ideal;
      default:
        return this.#fail(`can't evaluate command ${quoteGo(nodeText(node))}`);
    }
  }

  #noArguments(args: readonly Operand[], final: Final): void {
    if (args.length > 1 || final !== MISSING)
      this.#fail(`can't give argument to non-function ${argumentText(args[0]!)}`);
  }

  #field(node: Operand & { readonly kind: 'field' }, dot: GoValue, args: readonly Operand[], final: Final): GoValue {
    this.#node = node;
    return this.#path(dot, dot, node, node.path, args, final);
  }

  #chain(node: Operand & { readonly kind: 'chain' }, dot: GoValue, args: readonly Operand[], final: Final): GoValue {
    this.#node = node;
    if (node.node.kind === 'nil') this.#fail(`indirection through explicit nil in ${nodeText(node)}`);
    const receiver = this.#argument(node.node, 'any', dot);
    return this.#path(dot, receiver, node, node.path, args, final);
  }

  #variable(
    node: Operand & { readonly kind: 'variable' },
    dot: GoValue,
    args: readonly Operand[],
    final: Final,
  ): GoValue {
    this.#node = node;
    const value = this.#get(node.path[0]!);
    if (node.path.length === 1) {
      this.#noArguments(args, final);
      return value;
    }
    return this.#path(dot, value, node, node.path.slice(1), args, final);
  }

  #path(
    dot: GoValue,
    start: GoValue,
    node: Operand,
    path: readonly string[],
    args: readonly Operand[],
    final: Final,
  ): GoValue {
    let receiver = start;
    for (let i = 0; i < path.length; i++) {
      const last = i === path.length - 1;
      if (receiver === undefined && i > 0) this.#fail(`nil pointer evaluating interface {}.${path[i]}`);
      receiver = this.#select(dot, receiver, path[i]!, node, last ? args : [], last ? final : MISSING);
    }
    return receiver;
  }

  /** One step of `.a.b.c`: a method, a field or a map's entry. */
  #select(
    dot: GoValue,
    receiver: GoValue,
    name: string,
    node: Operand,
    args: readonly Operand[],
    final: Final,
  ): GoValue {
    if (receiver === undefined) return undefined;
    if (typeof receiver === 'object' && !(receiver instanceof GoFunction)) {
      const methods = receiver.methods as Readonly<Record<string, (self: unknown) => GoFunction>> | undefined;
      if (methods && Object.hasOwn(methods, name))
        return this.#call(methods[name]!(receiver), name, node, dot, args, final);
      const hasArguments = args.length > 1 || final !== MISSING;
      if (receiver instanceof GoStruct && receiver.fields.has(name)) {
        if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
        return receiver.fields.get(name);
      }
      if (receiver instanceof GoMap && receiver.keyType === 'string') {
        if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
        return receiver.entries.has(name) ? receiver.entries.get(name) : absentElement(receiver);
      }
    }
    this.#fail(`can't evaluate field ${name} in type ${typeName(receiver)}`);
  }

  // --- calls --------------------------------------------------------------------------------------------------------

  #function(
    name: string,
    node: Operand,
    command: Command | Operand,
    dot: GoValue,
    args: readonly Operand[],
    final: Final,
  ): GoValue {
    this.#node = node;
    const own = Object.hasOwn(this.#functions, name) ? this.#functions[name] : undefined;
    if (own) return this.#call(own, name, command, dot, args, final);
    const builtin = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
    if (!builtin) this.#fail(`${quoteGo(name)} is not a defined function`);
    return this.#call(builtin, name, command, dot, args, final, true);
  }

  /** `args[0]` is the function itself; it may be absent. */
  #call(
    fn: GoFunction,
    name: string,
    node: Operand | Command,
    dot: GoValue,
    args: readonly Operand[],
    final: Final,
    builtin = false,
  ): GoValue {
    const given = args.length > 0 ? args.length - 1 : 0;
    const total = given + (final === MISSING ? 0 : 1);
    const fixed = fn.params.length;
    if (fn.variadic !== undefined) {
      if (total < fixed) this.#fail(`wrong number of args for ${name}: want at least ${fixed} got ${given}`);
    } else if (total !== fixed) this.#fail(`wrong number of args for ${name}: want ${fixed} got ${total}`);
    if (builtin && (name === 'and' || name === 'or')) return this.#shortCircuit(name === 'or', dot, args, final);
    const values: GoValue[] = [];
    if (builtin && name === 'call') values.push(undefined);
    for (let i = 0; i < given; i++) values.push(this.#argument(args[i + 1]!, fn.params[i] ?? fn.variadic!, dot));
    if (final !== MISSING) values.push(this.#validate(final, fn.params[total - 1] ?? fn.variadic!));
    if (builtin && name === 'call') {
      const [, callee, ...rest] = values;
      values.splice(0, values.length, callee, given > 0 ? nodeText(args[1]!) : printValueText(callee), ...rest);
    }
    let size = fn.cost;
    for (const value of values) {
      if (typeof value === 'string') size += value.length >> 5;
      else if (value instanceof GoStruct && value.goType === 'time.Time') size += TIME_COST;
    }
    this.#step(size);
    let result: GoValue;
    try {
      result = fn.call(...(values as never[]));
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      this.#node = node;
      return this.#fail(`error calling ${name}: ${error.message}`);
    }
    this.#limitSize(result);
    return result;
  }

  #limitSize(result: GoValue): void {
    const basic = basicOf(result);
    if (typeof basic === 'string') {
      if (basic.length > this.#outputMax) this.#fail(`text of more than ${this.#outputMax} characters`, true);
      this.#step(basic.length >> 5);
    } else if (basic instanceof GoSlice) {
      if (basic.items.length > ELEMENTS_MAX) this.#fail(`list of more than ${ELEMENTS_MAX} elements`, true);
      this.#step(basic.items.length >> 3);
    }
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof FunctionError) return this.#fail(error.message, true);
      throw error;
    }
  }

  #shortCircuit(stopAt: boolean, dot: GoValue, args: readonly Operand[], final: Final): GoValue {
    let value: GoValue;
    for (const arg of args.slice(1)) {
      value = this.#argument(arg, 'value', dot);
      if (truth(value) === stopAt) return value;
    }
    return final === MISSING ? value : final;
  }

  #validate(value: GoValue, type: ParamType): GoValue {
    if (value === undefined) {
      const nil = nilOf(type);
      return nil ? nil[0] : this.#fail(`invalid value; expected ${typeText(type)}`);
    }
    if (!assignable(value, type))
      this.#fail(`wrong type for value; expected ${typeText(type)}; got ${typeName(value)}`);
    return value;
  }

  #argument(node: Operand, type: ParamType, dot: GoValue): GoValue {
    this.#node = node;
    switch (node.kind) {
      case 'dot':
        return this.#validate(dot, type);
      case 'nil': {
        const nil = nilOf(type);
        return nil ? nil[0] : this.#fail(`cannot assign nil to ${typeText(type)}`);
      }
      case 'field':
        return this.#validate(this.#field(node, dot, [node], MISSING), type);
      case 'variable':
        return this.#validate(this.#variable(node, dot, [], MISSING), type);
      case 'pipe':
        return this.#validate(this.#pipe(node, dot), type);
      case 'identifier':
        this.#step();
        return this.#validate(this.#function(node.name, node, node, dot, [], MISSING), type);
      case 'chain':
        return this.#validate(this.#chain(node, dot, [], MISSING), type);
      default:
        return this.#literal(node, type);
    }
  }

  #literal(node: Operand & { readonly kind: 'bool' | 'string' | 'number' }, type: ParamType): GoValue {
    const expected = (what: string): never => this.#fail(`expected ${what}; found ${nodeText(node)}`);
    switch (kindOf(type)) {
      case 'any':
      case 'value':
        return this.#constant(node, undefined);
      case 'bool':
        return node.kind === 'bool' ? node.value : expected('bool');
      case 'string':
        return node.kind === 'string' ? node.value : expected('string');
      case 'float':
        return node.kind === 'number' ? node.float : expected('float');
      case 'int':
        return node.kind === 'number' && node.int !== undefined ? integerOf(type, node.int) : expected('integer');
      case 'uint':
        return node.kind === 'number' && node.int !== undefined && node.int >= 0n
          ? integerOf(type, node.int)
          : expected('unsigned integer');
      default:
        return this.#fail(`can't handle ${nodeText(node)} for arg of type ${typeText(type)}`);
    }
  }
}

const argumentText = (node: Operand): string => (node.kind === 'pipe' ? `(${nodeText(node)})` : nodeText(node));
