/** The syntax tree of a template, and how its nodes are written in error texts ("at <.Labels.x>"). */

interface At {
  /** UTF-16 offset in the source of the tree. */
  readonly at: number;
}

export type Operand =
  | (At & { readonly kind: 'identifier'; readonly name: string })
  | (At & { readonly kind: 'variable'; readonly path: readonly string[] })
  | (At & { readonly kind: 'field'; readonly path: readonly string[] })
  | (At & { readonly kind: 'chain'; readonly node: Operand; readonly path: readonly string[] })
  | (At & { readonly kind: 'dot' })
  | (At & { readonly kind: 'nil' })
  | (At & { readonly kind: 'bool'; readonly value: boolean })
  | (At & { readonly kind: 'string'; readonly value: string; readonly source: string })
  | NumberNode
  | Pipe;

/** A constant; `int` and `float` tell what it can stand for, `ideal` what it is where any type will do. */
export interface NumberNode extends At {
  readonly kind: 'number';
  readonly source: string;
  readonly int: bigint | undefined;
  readonly float: number;
  readonly ideal: bigint | number | undefined;
}

export interface Command extends At {
  readonly args: readonly Operand[];
}

export interface Pipe extends At {
  readonly kind: 'pipe';
  readonly declares: readonly string[];
  /** `=` rather than `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export interface Branch extends At {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly body: List;
  readonly otherwise?: List;
}

export interface TemplateCall extends At {
  readonly kind: 'template';
  readonly name: string;
  readonly pipe: Pipe | undefined;
}

export type Node =
  | (At & { readonly kind: 'text'; readonly text: string })
  | (At & { readonly kind: 'action'; readonly pipe: Pipe })
  | Branch
  | TemplateCall
  | (At & { readonly kind: 'break' })
  | (At & { readonly kind: 'continue' });

export type List = readonly Node[];

/** One named template: `source` and `parseName` serve error positions. */
export interface Tree {
  readonly name: string;
  readonly parseName: string;
  readonly source: string;
  readonly root: List;
}

/** As the node would be written. */
export function nodeText(node: Operand | Command | Node): string {
  if ('args' in node) return node.args.map((a) => (a.kind === 'pipe' ? `(${nodeText(a)})` : nodeText(a))).join(' ');
  switch (node.kind) {
    case 'identifier':
      return node.name;
    case 'variable':
      return node.path.join('.');
    case 'field':
      return node.path.map((p) => `.${p}`).join('');
    case 'chain': {
      const inner = nodeText(node.node);
      return `${node.node.kind === 'pipe' ? `(${inner})` : inner}${node.path.map((p) => `.${p}`).join('')}`;
    }
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(node.value);
    case 'string':
    case 'number':
      return node.source;
    case 'pipe': {
      const names = node.declares.length > 0 ? `${node.declares.join(', ')} ${node.assigns ? '=' : ':='} ` : '';
      return names + node.commands.map(nodeText).join(' | ');
    }
    case 'text':
      return JSON.stringify(node.text);
    case 'action':
      return `{{${nodeText(node.pipe)}}}`;
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe ? ` ${nodeText(node.pipe)}` : ''}}}`;
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    default:
      return `{{${node.kind} ${nodeText(node.pipe)}}}${node.body.map(nodeText).join('')}${
        node.otherwise ? `{{else}}${node.otherwise.map(nodeText).join('')}` : ''
      }{{end}}`;
  }
}
