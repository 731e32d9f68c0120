/** Source files as tests look at them: what they import, and their code without comments and strings. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Import {
  /** The package, or the file below src/. */
  readonly target: string
  /** A file of ours, not a package. */
  readonly isOurs: boolean
  readonly typeOnly: boolean
  readonly line: number
}

export interface SourceFile {
  /** Below src/, with slashes, such as `model/path.ts`. */
  readonly path: string
  /** The first folder; `''` for files directly in src/. */
  readonly folder: string
  readonly imports: readonly Import[]
  /** Without comments, strings and regular expressions; lines stay where they are. */
  readonly code: string
}

const sourceFolder = fileURLToPath(new URL('../../src', import.meta.url))

/** Everything in src/, in order of path. */
export function readSources(): SourceFile[] {
  return readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => relative(sourceFolder, join(sourceFolder, name)).split(sep).join('/'))
    .sort()
    .map((path) => sourceFile(path, readFileSync(join(sourceFolder, path), 'utf8')))
}

export function sourceFile(path: string, source: string): SourceFile {
  const folder = path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
  return { path, folder, imports: importsOf(source, path), code: strip(source, 'strings') }
}

function importsOf(source: string, path: string): Import[] {
  const text = strip(source, 'comments')
  const statement =
    /(?<![\w.$])(?:import|export)\s+(type\s+)?((?:[\w*$\s,]|\{[^}]*\})*?)(?:\bfrom\s*)?(['"])([^'"\n]+)\3|(?<![\w.$])import\s*\(\s*(['"])([^'"\n]+)\5/g
  return [...text.matchAll(statement)].map((match) => {
    const [, type, clause = '', , from, , dynamic] = match
    const named = from ?? dynamic ?? ''
    const isOurs = named.startsWith('.')
    const names = /^\{([^}]*)\}$/
      .exec(clause.trim())?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '')
    return {
      target: isOurs ? posix.join(posix.dirname(path), named) : named,
      isOurs,
      typeOnly: type !== undefined || (names?.every((name) => /^\s*type\s/.test(name)) ?? false),
      line: text.slice(0, match.index + match[0].length).split('\n').length,
    }
  })
}

/** Blanks out comments, and with `strings` also strings, the words of templates and regular expressions. */
function strip(source: string, what: 'comments' | 'strings'): string {
  let out = ''
  let position = 0
  /** For each open template the braces that are open in its `${…}`. */
  const templates: number[] = []

  const take = (length: number, keep: boolean): void => {
    const text = source.slice(position, position + length)
    out += keep ? text : text.replace(/[^\n]/g, ' ')
    position += length
  }
  const matchHere = (pattern: RegExp): number => {
    pattern.lastIndex = position
    return pattern.exec(source)?.[0].length ?? 0
  }
  const takeTemplate = (): void => {
    // Up to the closing backtick or the next `${`.
    take(matchHere(/(?:\\[\s\S]|\$(?!\{)|[^\\`$])*/y), what === 'comments')
    if (source[position] === '`') take(1, true)
    else if (position < source.length) {
      take(2, true)
      templates.push(0)
    }
  }

  while (position < source.length) {
    const character = source[position]
    const comment = matchHere(/\/\/[^\n]*|\/\*[\s\S]*?\*\//y)
    const quoted = matchHere(/'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y)
    // A slash after a value divides; only elsewhere does it open a regular expression.
    const divides = () =>
      /[\w$)\]}'"`]\s*$/.test(out) && !/\b(return|typeof|case|in|of|await|yield)\s*$/.test(out)
    const expression =
      character !== '/' || divides() ? 0 : matchHere(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y)
    const inner = templates.at(-1)
    if (comment > 0) take(comment, false)
    else if (quoted > 0) {
      take(1, true)
      take(quoted - 2, what === 'comments')
      take(1, true)
    } else if (expression > 0) take(expression, what === 'comments')
    else if (character === '`') {
      take(1, true)
      takeTemplate()
    } else if (character === '}' && inner === 0) {
      templates.pop()
      take(1, true)
      takeTemplate()
    } else {
      if (inner !== undefined && character === '{') templates[templates.length - 1] = inner + 1
      if (inner !== undefined && character === '}') templates[templates.length - 1] = inner - 1
      take(1, true)
    }
  }
  return out
}
