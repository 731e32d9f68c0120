/**
 * Reads docs/spec/ and docs/decisions/ and looks for every test that they name: the file has to be there, and some test or
 * suite in the files that the document names has to be called so. `…` in a name stands for anything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const specFolder = join(root, 'docs/spec')
const decisionFolder = join(root, 'docs/decisions')
const kinds = 'unit|property|integration|conformance|servers|simulation|e2e|fuzz'

interface NamedTests {
  /** Below test/. */
  readonly files: readonly string[]
  readonly names: readonly string[]
}

/**
 * Files stand in backticks, with or without `.test.ts`. Names stand in the last column of a table whose head is
 * `test…`, in italics; or, where the text says so (`names in quotes are test names`), in quotes anywhere.
 */
function namedTests(spec: string): NamedTests {
  const path = new RegExp(`\`((?:${kinds})/[a-z0-9/-]+)(?:\\.test)?(?:\\.ts)?\``, 'g')
  const files = [...spec.matchAll(path)].map(([, file = '']) => fileOf(file))
  const isQuoted = /names in quotes are test names/.test(spec)
  const names = isQuoted ? quotedNames(spec) : tableNames(spec)
  return { files: [...new Set(files)], names: [...new Set(names)] }
}

/** The file that a path without its ending stands for; the plain name where there is none, to be told as missing. */
function fileOf(path: string): string {
  const found = [`${path}.test.ts`, `${path}.ts`].find((file) => existsSync(join(root, 'test', file)))
  return found ?? path
}

function quotedNames(spec: string): string[] {
  const prose = spec.replace(/`[^`]*`/g, '')
  return [...prose.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name.replace(/\s+/g, ' '))
}

function tableNames(spec: string): string[] {
  const names: string[] = []
  let inTests = false
  for (const line of spec.split('\n')) {
    if (!line.startsWith('|')) {
      inTests = false
      continue
    }
    const last = line.split('|').at(-2)?.trim() ?? ''
    if (/^test\b/.test(last)) inTests = true
    else if (inTests)
      names.push(...[...last.matchAll(/(?<!\w)_([^_]+)_(?!\w)/g)].map(([, name = '']) => name))
  }
  return names
}

/** Titles of tests and suites; what is filled in when they run (`${…}`, `%s`) stands for anything. */
function titlesOf(source: string): RegExp[] {
  const title =
    /(?:\b(?:it|test|describe)(?:\.\w+)*(?:<[^>]*>)?|\))\(\s*(?:'((?:\\.|[^'\\\n])+)'|"((?:\\.|[^"\\\n])+)"|`((?:\\.|[^`\\])+)`)/g
  const filledIn = /\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|%[sdifoj]/
  return (
    [...source.matchAll(title)]
      .map(([, single, double, template]) => (single ?? double ?? template ?? '').replace(/\\(.)/g, '$1'))
      // A title that is nothing but filled in says nothing about what it is called.
      .filter((text) => /\w{3}/.test(text.replace(new RegExp(filledIn, 'g'), '')))
      .map((text) => pattern(text, filledIn))
  )
}

function pattern(text: string, filledIn: RegExp): RegExp {
  const pieces = text.split(filledIn).map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${pieces.join('.*')}$`, 's')
}

/** A name is met by a title that it matches, with its own gaps, or that matches it with those of the title. */
function isMet(name: string, sources: readonly string[]): boolean {
  const gaps = /\s*…\s*|_\w+_/
  const wanted = pattern(name, gaps)
  return sources.some((source) =>
    titlesOf(source).some((title) => {
      const plain = title.source.slice(1, -1).replace(/\\(.)/g, '$1').replaceAll('.*', '\u0000')
      return title.test(name) || wanted.test(plain)
    }),
  )
}

function missing(spec: string, tests: (file: string) => string | null): string[] {
  const { files, names } = namedTests(spec)
  const sources = files.map((file) => tests(file))
  return [
    ...files.filter((_, index) => sources[index] === null).map((file) => `there is no file test/${file}`),
    ...names
      .filter(
        (name) =>
          !isMet(
            name,
            sources.filter((source) => source !== null),
          ),
      )
      .map((name) => `no file that is named has a test called '${name}'`),
  ]
}

function readTest(file: string): string | null {
  const path = join(root, 'test', file)
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

describe('the specifications', () => {
  const specs = readdirSync(specFolder).filter((name) => name.endsWith('.md'))

  it.each(specs)('%s names only tests that exist', (name) => {
    const spec = readFileSync(join(specFolder, name), 'utf8')
    expect(namedTests(spec).files.length).toBeGreaterThan(0)
    expect(namedTests(spec).names.length).toBeGreaterThan(0)
    expect(missing(spec, readTest)).toEqual([])
  })
})

describe('the decisions', () => {
  const decisions = readdirSync(decisionFolder).filter((name) => name.endsWith('.md'))

  it.each(decisions)('%s says how it is checked, by tests that exist', (name) => {
    const [, checked] = readFileSync(join(decisionFolder, name), 'utf8').split('## How it is checked')
    expect(checked?.trim()).toBeTruthy()
    expect(missing(`names in quotes are test names. ${checked}`, readTest)).toEqual([])
  })
})

describe('a test that a specification names', () => {
  const source = `describe('heads', () => { it('are healed', f); it.each(all)('%s wins', f); it(\`\${a} here: \${b}\`, f) })`
  const tests = (file: string) => (file === 'unit/heads' ? source : null)

  it('is found by its title, with gaps on either side', () => {
    const spec =
      'names in quotes are test names: `unit/heads`, "are healed", "are …", "local wins", "_one_ here: R1"'
    expect(missing(spec, tests)).toEqual([])
  })

  it('is told when it, or its file, is not there', () => {
    const spec =
      '| rule | test (`unit/heads`) |\n| --- | --- |\n| H1 | _are healed_; `unit/tails`: _are cut_ |\n'
    expect(missing(spec, tests)).toEqual([
      'there is no file test/unit/tails',
      "no file that is named has a test called 'are cut'",
    ])
  })
})
