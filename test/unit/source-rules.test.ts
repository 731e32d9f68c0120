/**
 * Reads src/ and holds it to the rules of its layout: who may import whom, no cycles, no barrels, and names that
 * only certain folders may use because everybody else is handed them.
 */
import { describe, expect, it } from 'vitest'
import { readSources, type SourceFile, sourceFile } from '../support/source-files.ts'

interface Direction {
  readonly any: readonly string[]
  /** Only by `import type`. */
  readonly types: readonly string[]
}

const below = ['records', 'sync', 'workspace', 'remote', 'database', 'reconcile', 'model']
const ports = ['workspace', 'remote', 'database']

/** `''` stands for files directly in src/, such as the library's index. */
const directions: Readonly<Record<string, Direction>> = {
  '': { any: ['http', 'instance', 'model'], types: [] },
  cli: { any: ['http', 'instance', 'webdav-server', 'model'], types: [] },
  http: { any: ['instance', 'model'], types: [] },
  dashboard: { any: [], types: ['http', 'model'] },
  instance: { any: below, types: [] },
  records: { any: ['reconcile', 'model'], types: ports },
  sync: { any: ['reconcile', 'model'], types: ports },
  workspace: { any: ['model'], types: [] },
  remote: { any: ['model'], types: [] },
  database: { any: ['model'], types: [] },
  reconcile: { any: ['model'], types: [] },
  'webdav-server': { any: ['model'], types: [] },
  model: { any: [], types: [] },
}

function wrongDirections(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const allowed = directions[file.folder]
    if (allowed === undefined) return [`${file.path}: the folder '${file.folder}' has no rule in this test`]
    return file.imports.flatMap(({ target, isOurs, typeOnly, line }) => {
      if (!isOurs) return []
      const folder = target.includes('/') ? target.slice(0, target.indexOf('/')) : ''
      if (folder === file.folder || allowed.any.includes(folder)) return []
      const asType = allowed.types.includes(folder)
      if (asType && typeOnly) return []
      const instead = asType
        ? "use 'import type': it is handed the implementation"
        : `it may import ${[...allowed.any, ...allowed.types].join(', ') || 'nothing of ours'}`
      return [`${file.path}:${line} imports ${target}; ${instead}`]
    })
  })
}

function wrongSpellings(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter(({ target, isOurs }) => isOurs && (target.startsWith('../') || !/\.tsx?$/.test(target)))
      .map(
        ({ target, line }) => `${file.path}:${line} imports ${target}; name a file inside src/ with its .ts`,
      ),
  )
}

/** Each cycle as the chain of its files. Imports of types alone do not count: they are gone when it runs. */
function cycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, chain: readonly string[]): void => {
    const start = chain.indexOf(path)
    if (start >= 0) {
      found.push([...chain.slice(start), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const { target, typeOnly } of byPath.get(path)?.imports ?? [])
      if (!typeOnly && byPath.has(target)) visit(target, [...chain, path])
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return found
}

const barrels = ['index.ts', 'database/schema/index.ts']

function wrongBarrels(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !barrels.includes(file.path))
    .filter((file) => /\bexport\s+(type\s+)?\*/.test(file.code) || /(^|\/)index\.tsx?$/.test(file.path))
    .map((file) => `${file.path} passes on what others export; import from the file that declares it`)
}

interface Ban {
  readonly name: RegExp
  readonly allowedIn: readonly string[]
  readonly instead: string
}

const edges = ['instance', 'cli', 'webdav-server']
const clock = 'use the Clock that is handed in'
const random = 'use the Random that is handed in'

const bans: readonly Ban[] = [
  { name: /\bDate\.now\b/g, allowedIn: edges, instead: clock },
  { name: /\bnew Date\b(?!\s*\(\s*[^\s)])|(?<![\w.]|new )Date\(/g, allowedIn: edges, instead: clock },
  {
    name: /\bperformance\.now\b|\bprocess\.hrtime\b/g,
    allowedIn: edges,
    instead: "use the Clock's monotonic()",
  },
  { name: /\bMath\.random\b/g, allowedIn: edges, instead: random },
  {
    name: /\b(randomBytes|randomUUID|randomInt|randomFillSync|getRandomValues)\b/g,
    allowedIn: ['instance'],
    instead: random,
  },
  {
    name: /\bprocess\.env\b|\benv\b[^\n;=]*\}\s*=\s*process\b/g,
    allowedIn: edges,
    instead: 'take the setting as an option; instance/ reads the environment',
  },
  {
    name: /\bconsole\./g,
    allowedIn: ['cli'],
    instead: 'return it, raise an event, or use the log that is handed in',
  },
]

const fileSystemFolders = ['workspace', 'database', 'http', ...edges]

function bannedNames(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const names = bans
      .filter(({ allowedIn }) => !allowedIn.includes(file.folder))
      .flatMap(({ name, instead }) =>
        [...file.code.matchAll(name)].map((match) => {
          const line = file.code.slice(0, match.index).split('\n').length
          return `${file.path}:${line} uses ${match[0]}; ${instead}`
        }),
      )
    const fileSystem = file.imports
      .filter(({ target, typeOnly }) => !typeOnly && /^(node:)?fs(\/promises)?$/.test(target))
      .filter(() => !fileSystemFolders.includes(file.folder))
      .map(
        ({ target, line }) =>
          `${file.path}:${line} imports ${target}; go through the Workspace or Database port`,
      )
    return [...names, ...fileSystem]
  })
}

/** Parts of the workspace that watch the real system, whatever the file calls are. */
const besidesFileCalls = [
  'file-calls',
  'watch-folder',
  'watch-worker',
  'folder-watches',
  'hard-links',
  'native-changes',
]

/** The constants of `node:fs` are no access. */
function besidePort(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ folder }) => folder === 'workspace')
    .filter(({ path }) => !besidesFileCalls.some((name) => path === `workspace/${name}.ts`))
    .filter(({ code, imports }) => {
      const fileSystem = imports.filter(({ target }) => /^(node:)?fs(\/promises)?$/.test(target))
      return fileSystem.some(({ typeOnly }) => !typeOnly) && !/import \{ constants \} from/.test(code)
    })
    .map(({ path }) => `${path} reaches the file system beside the FileCalls that it is handed`)
}

describe('the source in src/', () => {
  const files = readSources()

  it('is found', () => {
    expect(files.map((file) => file.path)).toContain('model/errors.ts')
  })

  it('imports in one direction', () => {
    expect(wrongDirections(files)).toEqual([])
  })

  it('names its own files with their extension', () => {
    expect(wrongSpellings(files)).toEqual([])
  })

  it('has no import cycles', () => {
    expect(cycles(files)).toEqual([])
  })

  it('has no barrels but the two that are meant', () => {
    expect(wrongBarrels(files)).toEqual([])
  })

  it('takes time, chance, environment and files only where they belong', () => {
    expect(bannedNames(files)).toEqual([])
  })

  it('reaches the disk of the workspace through its port only', () => {
    expect(besidePort(files)).toEqual([])
  })
})

describe('the rules', () => {
  const file = (path: string, ...lines: string[]) => sourceFile(path, lines.join('\n'))

  it('find an import against the direction, whatever its form', () => {
    const wrong = [
      "import { a } from '../remote/a.ts'",
      "import '../remote/a.ts'",
      "export { a } from '../remote/a.ts'",
      "export * as a from '../remote/a.ts'",
      "const a = await import('../remote/a.ts')",
      "import {\n  a,\n  type B,\n} from '../remote/a.ts'",
      "import a, { type B } from '../remote/a.ts'",
      "/** Text. */ import { a } from '../remote/a.ts'",
    ]
    for (const line of wrong) {
      expect(wrongDirections([file('sync/run.ts', line)]), line).toHaveLength(1)
      expect(wrongDirections([file('model/run.ts', line)]), line).toHaveLength(1)
      expect(wrongDirections([file('instance/run.ts', line)]), line).toEqual([])
    }
  })

  it('let sync and records import ports as types, and nobody below', () => {
    for (const line of [
      "import type { Remote } from '../remote/remote.ts'",
      "import { type Remote } from '../remote/remote.ts'",
      "export type { Remote } from '../remote/remote.ts'",
    ]) {
      expect(wrongDirections([file('sync/run.ts', line), file('records/codec.ts', line)]), line).toEqual([])
      expect(wrongDirections([file('database/run.ts', line)]), line).toHaveLength(1)
    }
  })

  it('want a rule for every folder', () => {
    expect(wrongDirections([file('novelty/a.ts', '')])).toHaveLength(1)
  })

  it('find a cycle, but not one of types', () => {
    const ring = (kind: string) => [
      file('model/a.ts', `import ${kind} { b } from './b.ts'`),
      file('model/b.ts', "import { c } from './c.ts'"),
      file('model/c.ts', "import { a } from './a.ts'"),
    ]
    expect(cycles(ring(''))).toEqual(['model/a.ts → model/b.ts → model/c.ts → model/a.ts'])
    expect(cycles(ring('type'))).toEqual([])
  })

  it('find barrels and imports without their extension', () => {
    expect(wrongBarrels([file('model/all.ts', "export * from './a.ts'")])).toHaveLength(1)
    expect(wrongBarrels([file('model/index.ts', '')])).toHaveLength(1)
    expect(wrongBarrels([file('database/schema/index.ts', "export * from './a.ts'")])).toEqual([])
    expect(wrongSpellings([file('model/a.ts', "import './b.js'")])).toHaveLength(1)
    expect(wrongSpellings([file('model/a.ts', "import { b } from './b'")])).toHaveLength(1)
    expect(wrongSpellings([file('model/a.ts', "import { b } from './b.ts'", "import 'zod'")])).toEqual([])
  })

  it('find an access to the file system beside the port', () => {
    for (const line of ["import fs from 'node:fs'", "import { constants, fsync } from 'node:fs'"]) {
      expect(besidePort([file('workspace/a.ts', line)]), line).toHaveLength(1)
      expect(besidePort([file('database/a.ts', line), file('workspace/file-calls.ts', line)]), line).toEqual(
        [],
      )
    }
    for (const line of ["import { constants } from 'node:fs'", "import type { Stats } from 'node:fs'"])
      expect(besidePort([file('workspace/a.ts', line)]), line).toEqual([])
  })

  it('find banned names in code, and in code inside of templates, but not in words', () => {
    const banned = [
      'const a = Date.now()',
      'const a = new Date()',
      'const a = new Date',
      'const a = Math.random()',
      "const a = process.env['HOME']",
      'const { env } = process',
      'console.log(1)',
      "import { randomUUID } from 'node:crypto'",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code as text.
      'const a = `at ${Date.now()}`',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code as text.
      'const a = `${`${Math.random()}`}`',
      "import { readFile } from 'node:fs/promises'",
      'const a = 1 / 2 // half\nconst b = Date.now() / 2',
      "const a = 'x' / Math.random() / 2",
      "const a = /['`]/\nconst b = Math.random()\nconst c = /['`]/",
    ]
    for (const line of banned) expect(bannedNames([file('remote/a.ts', line)]), line).toHaveLength(1)
    const harmless = [
      '// not Date.now()',
      '/* Math.random() */',
      "const a = 'process.env'",
      'const a = `Math.random()`',
      'const a = new Date(0)',
      'const a = /console.log/',
      "import type { Stats } from 'node:fs'",
      "const a = 'it\\'s console.log'",
    ]
    for (const line of harmless) expect(bannedNames([file('remote/a.ts', line)]), line).toEqual([])
  })
})
