// Builds the code with one known bug at a time and runs the simulator on it until it has noticed:
//   node scripts/mutants.mjs [--only NAME] [--seeds N] [--jobs J]
//     --only NAME  this one; more than once: these
//     --seeds N    within so many seeds each has to be found (default 10,000)
//     --jobs J     processes of the simulator (default 1)
// The bugs are test/mutants/*.patch, the builds build/mutants/<name>/. A seed on which the code as it is breaks something
// as well says nothing about a bug: it is passed over, and told. Ends with 1 when one was not noticed.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const patches = path.join(root, 'test/mutants')
const builds = path.join(root, 'build/mutants')
const plain = 'plain'
const parts = [
  'src',
  'test/simulator',
  'test/support/virtual-clock.ts',
  'migrations',
  'tsconfig.json',
  'tsconfig.simulator.json',
]

const given = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string', default: '10000' },
    jobs: { type: 'string', default: '1' },
  },
}).values

/** Answers where the compiled simulator of the code with this bug lies; `plain`: of the code as it is. */
function build(name) {
  const folder = path.join(builds, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const part of parts) cpSync(path.join(root, part), path.join(folder, part), { recursive: true })
  if (name !== plain) {
    const applied = spawnSync('git', ['apply', path.join(patches, `${name}.patch`)], {
      cwd: folder,
      encoding: 'utf8',
      // Else git takes the folder for a part of this repository, in which it is ignored, and applies nothing.
      env: { ...process.env, GIT_CEILING_DIRECTORIES: builds },
    })
    if (applied.status !== 0) throw new Error(`${name} does not apply: ${applied.stderr}`)
  }
  const out = path.join(folder, 'out')
  // What a bug leaves unused or unreachable is an error of types only: types are not looked at.
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
  const options = ['-p', 'tsconfig.simulator.json', '--outDir', 'out', '--noCheck']
  spawnSync(process.execPath, [compiler, ...options], { cwd: folder })
  cpSync(path.join(root, 'migrations'), path.join(out, 'migrations'), { recursive: true })
  return path.join(out, 'test/simulator/main.js')
}

/** Runs the simulator until the first violation; `null`: there is none. */
function run(main, first, count) {
  const options = ['--seed', first, '--seeds', count, '--twice', '0', '--jobs', given.jobs].map(String)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...options, '--no-minimise'])
    let told = ''
    child.stdout.on('data', (chunk) => {
      told += chunk
    })
    child.stderr.on('data', (chunk) => {
      told += chunk
    })
    child.on('error', reject)
    child.on('close', (status) => {
      const found = /^seed (\d+) breaks (\S+): (.*)$/m.exec(told)
      if (status === 1 && found !== null)
        resolve({ seed: Number(found[1]), invariant: found[2], detail: found[3] })
      else if (status === 0) resolve(null)
      else reject(new Error(`the simulator ended with ${status}: ${told}`))
    })
  })
}

/** The first violation that the code as it is does not show on the same seed. */
async function notice(main, count) {
  for (let first = 0; first < count; ) {
    const found = await run(main, first, count - first)
    if (found === null) return null
    if (!plainFailures.has(found.seed)) {
      const own = await run(plainMain, found.seed, 1)
      if (own === null) return found
      plainFailures.add(found.seed)
      console.log(`seed ${found.seed} breaks ${own.invariant} without any bug`)
    }
    first = found.seed + 1
  }
  return null
}

const all = readdirSync(patches)
  .filter((file) => file.endsWith('.patch'))
  .map((file) => file.replace(/\.patch$/, ''))
  .sort()
const unknown = given.only.filter((name) => !all.includes(name))
if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')} in test/mutants`)

const seeds = Number(given.seeds)
if (!Number.isSafeInteger(seeds) || seeds < 1)
  throw new Error(`--seeds is '${given.seeds}', which is no number`)
const plainMain = build(plain)
const plainFailures = new Set()
const unnoticed = []
for (const name of given.only.length > 0 ? given.only : all) {
  const startedAt = performance.now()
  const found = await notice(build(name), seeds)
  const seconds = `${((performance.now() - startedAt) / 1_000).toFixed(0)} s`
  if (found === null) {
    unnoticed.push(name)
    console.log(`${name}: NOT NOTICED in ${given.seeds} seeds, ${seconds}`)
  } else {
    const { seed, invariant, detail } = found
    console.log(`${name}: seed ${seed}, ${invariant}, ${seconds} — ${detail.slice(0, 120)}`)
    rmSync(path.join(builds, name), { recursive: true, force: true })
  }
}
if (unnoticed.length > 0) console.error(`not noticed: ${unnoticed.join(', ')}`)
process.exitCode = unnoticed.length > 0 ? 1 : 0
