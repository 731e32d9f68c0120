/**
 * JSON as text with everything that a value cannot hold: fields given twice, in any order, numbers that are none. A tree
 * is printed exactly as it stands.
 */
import type { Chance } from './chance.ts'

export type Tree =
  | { readonly kind: 'object'; readonly fields: [name: string, value: Tree][] }
  | { readonly kind: 'list'; readonly items: Tree[] }
  | { readonly kind: 'raw'; text: string }

export function object(fields: [string, Tree][]): Tree {
  return { kind: 'object', fields }
}

export function raw(text: string): Tree {
  return { kind: 'raw', text }
}

export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(treeOf) }
  if (typeof value !== 'object' || value === null) return raw(JSON.stringify(value) ?? 'null')
  return object(Object.entries(value).map(([name, field]) => [name, treeOf(field)]))
}

export function print(tree: Tree): string {
  switch (tree.kind) {
    case 'raw':
      return tree.text
    case 'list':
      return `[${tree.items.map(print).join(',')}]`
    case 'object':
      return `{${tree.fields.map(([name, value]) => `${JSON.stringify(name)}:${print(value)}`).join(',')}}`
  }
}

/** Where a value stands, and how it is replaced there. */
export interface Place {
  /** The name of the nearest field. */
  readonly field: string
  readonly value: Tree
  replace(value: Tree): void
}

/** Every value below the root. */
export function placesIn(tree: Tree, field = ''): Place[] {
  if (tree.kind === 'raw') return []
  if (tree.kind === 'list') {
    return tree.items.flatMap((value, index) => [
      { field, value, replace: (other: Tree) => void tree.items.splice(index, 1, other) },
      ...placesIn(value, field),
    ])
  }
  return tree.fields.flatMap((entry) => [
    { field: entry[0], value: entry[1], replace: (other: Tree) => void entry.splice(1, 1, other) },
    ...placesIn(entry[1], entry[0]),
  ])
}

/** Every object and list, the root included. */
export function containersIn(tree: Tree): Exclude<Tree, { kind: 'raw' }>[] {
  if (tree.kind === 'raw') return []
  const children = tree.kind === 'list' ? tree.items : tree.fields.map(([, value]) => value)
  return [tree, ...children.flatMap(containersIn)]
}

/** One change to the form: a field or item goes, comes twice, changes its place or name, or one comes in. */
export function changeForm(tree: Tree, chance: Chance, foreign: (chance: Chance) => Tree): void {
  const container = chance.pick(containersIn(tree))
  if (container === undefined) return
  const list: (Tree | [string, Tree])[] = container.kind === 'list' ? container.items : container.fields
  const at = chance.int(Math.max(1, list.length))
  const make = (): Tree | [string, Tree] =>
    container.kind === 'list'
      ? foreign(chance)
      : [
          chance.pick([
            '__proto__',
            'constructor',
            'polluted',
            'x',
            '',
            'kind',
            'x'.repeat(chance.maybe(0.02) ? 100_000 : 600),
          ]),
          foreign(chance),
        ]
  switch (chance.int(6)) {
    case 0:
      list.splice(at, 1)
      return
    case 1:
      if (list.length > 0) list.push(list[at] as Tree)
      return
    case 2:
      if (list.length > 0) list.splice(0, list.length, ...chance.shuffle(list))
      return
    case 3: {
      if (container.kind !== 'object' || container.fields.length === 0) return
      const field = container.fields[at] as [string, Tree]
      field[0] = chance.pick([
        '__proto__',
        'constructor',
        `${field[0]} `,
        field[0].toUpperCase(),
        'hash',
        'path',
      ])
      return
    }
    case 4:
      // The same name again with another value: who reads the first and who the last?
      if (container.kind === 'object' && container.fields.length > 0)
        container.fields.push([(container.fields[at] as [string, Tree])[0], foreign(chance)])
      return
    default:
      list.splice(at, 0, make())
  }
}

/** One value is replaced by something that does not belong there. */
export function changeValue(
  tree: Tree,
  chance: Chance,
  foreign: (chance: Chance, place: Place) => Tree,
): void {
  const places = placesIn(tree)
  if (places.length === 0) return
  const place = chance.pick(places)
  place.replace(foreign(chance, place))
}
