/**
 * Named templates that may refer to each other, as `template.New("").Funcs(f).Parse(...)` gathers them. Immutable once
 * handed out: `with` gives a copy, so one set serves any number of expansions.
 */
import type { Tree } from './ast.ts';
import { BUILTINS } from './builtins.ts';
import { type ExecuteOptions, execute } from './executor.ts';
import { escapeTrees } from './html/escaper.ts';
import { ESCAPER_FUNCTIONS } from './html/escaper-functions.ts';
import { isEmptyTree, parseTemplate } from './parser.ts';
import type { Functions, GoValue } from './value.ts';

export class TemplateSet {
  readonly functions: Functions;
  readonly trees: ReadonlyMap<string, Tree>;

  constructor(functions: Functions, trees: ReadonlyMap<string, Tree> = new Map()) {
    this.functions = functions;
    this.trees = trees;
  }

  /** A set with the templates of `source` added; those with content replace what they are named like. Throws TemplateError. */
  with(name: string, source: string): TemplateSet {
    const parsed = parseTemplate(name, source, (f) => Object.hasOwn(this.functions, f) || Object.hasOwn(BUILTINS, f));
    const trees = new Map(this.trees);
    for (const [key, tree] of parsed) if (!trees.has(key) || !isEmptyTree(tree.root)) trees.set(key, tree);
    return new TemplateSet(this.functions, trees);
  }

  /** A set that lacks the template `name`. */
  without(name: string): TemplateSet {
    const trees = new Map(this.trees);
    trees.delete(name);
    return new TemplateSet(this.functions, trees);
  }

  /** A set whose template `name`, with all it calls, escapes its data for HTML. Throws TemplateError. */
  escaped(name: string): TemplateSet {
    return new TemplateSet({ ...this.functions, ...ESCAPER_FUNCTIONS }, escapeTrees(this.trees, name));
  }

  /** Text of the template `name` over `data`. Throws TemplateError; RangeError for a name that is not there. */
  text(name: string, data: GoValue, limits: Pick<ExecuteOptions, 'stepsMax' | 'outputLengthMax'> = {}): string {
    const tree = this.trees.get(name);
    if (!tree) throw new RangeError(`BUG: no template ${JSON.stringify(name)}`);
    return execute(tree, data, { trees: this.trees, functions: this.functions, ...limits });
  }
}
