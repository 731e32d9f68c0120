/**
 * What has to hold after a kill and the next start: nobody was needed, nothing was left lying about, all instances come
 * to agree, and the outcome is the one of an undisturbed run. Each difference is a sentence.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { OpenedInstance } from '../../src/instance/compose-instance.ts'
import type { ConflictView } from '../../src/instance/instance.ts'
import type { Scene } from './scene.ts'

export interface Outcome {
  /** By instance, then by path: a line for each file and folder. */
  readonly trees: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Open conflicts, as every instance lists them. */
  readonly conflicts: readonly string[]
}

const roundsMax = 6
/** What a state folder holds while nobody runs on it, and what of that has to be empty then. */
const stateFiles = ['metadata.db', 'davit.yml', 'token', 'marker', 'trash', 'backups', 'logs']
const emptyFolders = ['tmp', 'parked', 'probe']

/** What the next start has left lying about in the state folder. */
export async function leftovers(scene: Scene, instance: string): Promise<string[]> {
  const state = scene.path(instance, '.davit')
  const found: string[] = []
  for (const name of await readdir(state)) {
    if (stateFiles.includes(name)) continue
    if (!emptyFolders.includes(name)) found.push(name)
    else found.push(...(await readdir(join(state, name))).map((below) => `${name}/${below}`))
  }
  return found.map((name) => `left in the state folder of ${instance}: ${name}`)
}

/** Lets everybody sync until nothing moves any more, then looks at what they have come to. */
export async function settle(scene: Scene): Promise<{ outcome: Outcome; problems: string[] }> {
  const opened: Opened[] = []
  try {
    for (const name of await scene.instances()) opened.push({ name, instance: await scene.open(name) })
    const problems = await converge(opened)
    const trees = new Map<string, ReadonlyMap<string, string>>()
    const lists = new Set<string>()
    const contested = new Set<string>()
    for (const { name, instance } of opened) {
      const { discrepancies, unreachable } = await instance.verify({ deep: true })
      for (const each of discrepancies)
        problems.push(`verify of ${name}: ${each.path}: ${each.code}: ${each.detail}`)
      if (unreachable) problems.push(`verify of ${name}: the store was not reached`)
      trees.set(name, await scene.tree(name))
      const { items } = await instance.conflicts.list({})
      for (const { path } of items) contested.add(path)
      lists.add(items.map(describe).sort().join('\n'))
    }
    if (lists.size > 1) problems.push(`the lists of conflicts differ:\n${[...lists].join('\nand\n')}`)
    problems.push(...disagreements(trees, contested))
    const heads = await scene.heads()
    if (heads.length !== 1) problems.push(`the store has ${heads.length} heads: ${heads.join(', ')}`)
    problems.push(...(await lostContents(scene)))
    return { outcome: { trees, conflicts: [...lists] }, problems }
  } finally {
    for (const { instance } of opened) await instance.close()
  }
}

interface Opened {
  readonly name: string
  readonly instance: OpenedInstance
}

async function converge(opened: readonly Opened[]): Promise<string[]> {
  for (let round = 1; round <= roundsMax; round++) {
    const versions = new Set<number>()
    let moved = 0
    for (const { name, instance } of opened) {
      const run = await instance.sync({ trigger: 'command' }).finished
      if (run.outcome !== 'in-sync' && run.outcome !== 'conflicts')
        return [`${name} ended ${run.outcome}: ${JSON.stringify(run.error)}`]
      if (run.problems.length > 0) return [`${name} has problems: ${JSON.stringify(run.problems)}`]
      versions.add(run.version)
      moved += run.uploaded + run.downloaded + run.deleted + run.moved + run.metadata
    }
    if (versions.size === 1 && moved === 0) return []
  }
  return [`the instances do not come to rest in ${roundsMax} rounds`]
}

function describe({ path, kind, aspect, candidates }: ConflictView): string {
  const sides = candidates.map(({ instance, hash }) => `${instance} ${hash?.slice(0, 12) ?? 'deleted'}`)
  return `${path} ${kind} ${aspect}: ${sides.sort().join(', ')}`
}

/** All workspaces hold the same, but for times (which alone are no reason to commit) and files that wait for a decision. */
function disagreements(trees: Outcome['trees'], contested: ReadonlySet<string>): string[] {
  const [first, ...others] = [...trees].map(
    ([name, tree]) =>
      [name, new Map([...tree].map(([path, line]) => [path, line.replace(/ \S+$/, '')]))] as const,
  )
  return others.flatMap(([name, tree]) =>
    differentPaths(first?.[1] ?? new Map(), tree)
      .filter((path) => !contested.has(path))
      .map((path) => `${name} and ${first?.[0]} do not agree on ${path}`),
  )
}

/** What became of it, against what became of the undisturbed run. */
export function differences(expected: Outcome, found: Outcome): string[] {
  const problems: string[] = []
  for (const [name, tree] of expected.trees) {
    const other = found.trees.get(name) ?? new Map<string, string>()
    for (const path of differentPaths(tree, other))
      problems.push(
        `${path} of ${name} is '${other.get(path) ?? 'absent'}' instead of '${tree.get(path) ?? 'absent'}'`,
      )
  }
  const [wanted, got] = [expected.conflicts.join('; '), found.conflicts.join('; ')]
  if (wanted !== got) problems.push(`conflicts are [${got}] instead of [${wanted}]`)
  return problems
}

function differentPaths(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((path) => one.get(path) !== other.get(path))
}

/** Everything that somebody wrote is in a workspace, in a trash, or whole in the store under its hash. */
async function lostContents(scene: Scene): Promise<string[]> {
  const missing = new Map(scene.written)
  const folders = (await scene.instances()).flatMap((name) => [
    { folder: scene.path(name), skip: '.davit', isStore: false },
    { folder: scene.path(name, '.davit', 'trash'), skip: '', isStore: false },
  ])
  for (const { folder, skip, isStore } of [
    ...folders,
    { folder: scene.path('store'), skip: '', isStore: true },
  ]) {
    if (!existsSync(folder)) continue
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      if (skip !== '' && file.slice(folder.length + 1).startsWith(skip)) continue
      const hash = createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
      // In the store it has to lie where it is looked for.
      if (isStore && !basename(entry.parentPath).concat(entry.name).includes(hash.slice(2, 60))) continue
      missing.delete(hash)
    }
  }
  return [...missing.values()].map((what) => `what was written to ${what} is nowhere`)
}
