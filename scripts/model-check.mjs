// Explores every interleaving of racing writers over the real commit protocol:
//   node scripts/model-check.mjs [--writers 2|3] [--scenario NAME] [--without RULE|all] [--seconds MAX]
// Without a scenario: all of them. `--without` takes a rule out of a copy of the code first and expects a violation.
// Compiles src/ and test/model-check/ into a temporary folder, which is removed afterwards.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const args = process.argv.slice(2)
const at = args.indexOf('--without')
const without = at < 0 ? null : args[at + 1]

function run(command, options, cwd) {
  const { status, error } = spawnSync(command, options, { cwd, stdio: 'inherit' })
  if (error !== undefined) throw error
  return status ?? 1
}

/** A copy of the code in which the rule is missing, compiled; runs the check on it. */
function check(rule, options) {
  const folder = mkdtempSync(path.join(tmpdir(), 'davit-model-check-'))
  try {
    for (const part of [
      'src',
      'test/model-check',
      'test/support/memory-dav.ts',
      'tsconfig.json',
      'package.json',
    ])
      cpSync(path.join(root, part), path.join(folder, part), { recursive: true })
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
    const patch = path.join(root, 'test/model-check/without', `${rule}.patch`)
    if (rule !== null && run('git', ['apply', patch], folder) !== 0)
      throw new Error(`${patch} does not apply`)
    const compiled = path.join(folder, 'out')
    mkdirSync(compiled)
    const configuration = {
      extends: './tsconfig.json',
      compilerOptions: {
        noEmit: false,
        rootDir: '.',
        outDir: 'out',
        // What a patch leaves behind may be unused.
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
      include: ['src', 'test/model-check'],
      exclude: ['test/model-check/**/*.test.ts'],
    }
    writeFileSync(path.join(folder, 'tsconfig.check.json'), JSON.stringify(configuration))
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
    if (run(process.execPath, [compiler, '-p', 'tsconfig.check.json'], folder) !== 0)
      throw new Error('the copy does not compile')
    for (const part of ['migrations', 'package.json'])
      cpSync(path.join(root, part), path.join(compiled, part), { recursive: true })
    symlinkSync(path.join(root, 'node_modules'), path.join(compiled, 'node_modules'))
    return run(
      process.execPath,
      ['--max-old-space-size=6000', 'test/model-check/main.js', ...options],
      compiled,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (without === 'all') {
  const rest = args.toSpliced(at, 2)
  const patches = readdirSync(path.join(root, 'test/model-check/without')).filter((name) =>
    name.endsWith('.patch'),
  )
  const unnoticed = patches
    .map((name) => name.replace(/\.patch$/, ''))
    .filter((rule) => check(rule, [...rest, '--without', rule]) !== 0)
  if (unnoticed.length > 0) console.error(`not noticed: ${unnoticed.join(', ')}`)
  process.exitCode = unnoticed.length > 0 ? 1 : 0
} else process.exitCode = check(without, args)
