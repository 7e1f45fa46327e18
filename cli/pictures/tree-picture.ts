import type { SkiffTreeNode } from '../../api/skiff.ts';
import { printable } from '../formats/printable.ts';
import { formatSize } from '../formats/sizes.ts';
import { changeMarks } from './change-lines.ts';
import { paint } from './picture-style.ts';
import type { PictureStyle } from './picture-style.ts';

const branches = {
  unicode: { middle: '├── ', last: '└── ', through: '│   ', empty: '    ' },
  ascii: { middle: '|-- ', last: '`-- ', through: '|   ', empty: '    ' },
} as const;

/** A line for each node: its size, what the layer did to it, and where it stands. */
export function treeLines(
  root: SkiffTreeNode,
  { path, style }: { readonly path: string; readonly style: PictureStyle },
): string[] {
  return [lineOf(root, '', path === '' ? '/' : printable(path), style), ...below(root, '', style)];
}

function below({ children = [], childCount = 0 }: SkiffTreeNode, lead: string, style: PictureStyle): string[] {
  const set = branches[style.symbols];
  const left = childCount - children.length;
  // A folder that was not opened has none; only one that was opened in part tells of the rest.
  const isCut = children.length > 0 && left > 0;
  const lines = children.flatMap((child, index) => {
    const isLast = index === children.length - 1 && !isCut;
    const own = lineOf(child, lead + (isLast ? set.last : set.middle), nameOf(child), style);
    return [own, ...below(child, lead + (isLast ? set.empty : set.through), style)];
  });
  return isCut ? [...lines, `${' '.repeat(12)}${lead}${set.last}${paint('dim', `${left} more`, style)}`] : lines;
}

function lineOf(node: SkiffTreeNode, lead: string, name: string, style: PictureStyle): string {
  const mark = node.change === null ? null : changeMarks[node.change];
  const bytes = node.kind === 'directory' ? node.totalBytes : node.sizeBytes;
  const size = (node.kind === 'directory' || node.kind === 'file' ? formatSize(bytes) : '').padStart(8);
  const sign = mark === null ? ' ' : paint(mark.color, mark.sign, style);
  const shown =
    mark === null ? (node.kind === 'directory' ? paint('bold', name, style) : name) : paint(mark.color, name, style);
  const files =
    node.kind === 'directory' && node.children === undefined && node.totalFiles > 0
      ? paint('dim', `  ${node.totalFiles} file${node.totalFiles === 1 ? '' : 's'}`, style)
      : '';
  return `${size}  ${sign} ${lead}${shown}${files}`;
}

function nameOf({ name, kind, linkTarget, isHardLink, device }: SkiffTreeNode): string {
  const end = kind === 'directory' ? '/' : '';
  const target = linkTarget === undefined ? '' : ` ${isHardLink ? '=' : '->'} ${printable(linkTarget)}`;
  return `${printable(name)}${end}${target}${device === undefined ? '' : ` (${kind} ${device})`}`;
}
