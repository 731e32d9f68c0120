// Hostile objects of every kind, as many as one likes:
//   node scripts/fuzz.mjs [--objects N] [--seed S] [--from K] [--kind NAME[,NAME…]] [--end-to-end]
// By default 100,000 objects for the decoders with seed 1. With --end-to-end each object is put into a store that a
// whole instance syncs with. A seed and a number give the same object every time (of the same kinds): --from K
// --objects 1 tries one again. Exits with 1 when a promise was broken; the object and a smaller one that breaks the same are kept in
// fuzz-findings/. It runs test/fuzz/*.test.ts by vitest, and watches from outside: an object that takes longer than a
// minute is a hang, and more memory than 1.5 GB is too much.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const hangMs = 60_000
const memoryMbMax = 1_500
const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    kind: { type: 'string', default: '' },
    'end-to-end': { type: 'boolean', default: false },
  },
})
for (const name of ['objects', 'seed', 'from']) {
  if (!/^\d+$/.test(values[name])) {
    console.error(`--${name} takes a number`)
    process.exit(2)
  }
}

const same = `${values['end-to-end'] ? ' --end-to-end' : ''}${values.kind === '' ? '' : ` --kind ${values.kind}`}`
const root = fileURLToPath(new URL('..', import.meta.url))
const findings = join(root, 'fuzz-findings')
const folder = mkdtempSync(join(tmpdir(), 'davit-fuzz-progress-'))
const progress = join(folder, 'progress')
const startedAt = Date.now()
const file = values['end-to-end'] ? 'test/fuzz/end-to-end.test.ts' : 'test/fuzz/decoders.test.ts'
const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', file, '--reporter=dot'], {
  cwd: root,
  // A group of its own, so that a worker that hangs ends with it.
  detached: true,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    ...process.env,
    DAVIT_FUZZ_OBJECTS: values.objects,
    DAVIT_FUZZ_SEED: values.seed,
    DAVIT_FUZZ_FROM: values.from,
    DAVIT_FUZZ_KIND: values.kind,
    DAVIT_FUZZ_PROGRESS: progress,
    DAVIT_FUZZ_FINDINGS: findings,
  },
})

let last = ''
let since = Date.now()
let mostMb = 0
const watch = setInterval(() => {
  const note = readNote()
  if (note !== last) {
    last = note
    since = Date.now()
  }
  const [kind = '', number = '', memory = '0'] = note.trim().split(' ')
  mostMb = Math.max(mostMb, Number(memory))
  if (number !== '' && Date.now() - since > hangMs) giveUp(`${kind}: object ${number} hangs`)
  else if (Number(memory) > memoryMbMax) giveUp(`${kind}: ${memory} MB of memory near object ${number}`)
}, 1_000)

function readNote() {
  try {
    return readFileSync(progress, 'utf8')
  } catch {
    return ''
  }
}

function giveUp(complaint) {
  const [, number = ''] = last.trim().split(' ')
  console.error(
    `\n${complaint}; try it again with: --seed ${values.seed} --from ${number} --objects 1${same}`,
  )
  process.exitCode = 1
  process.kill(-vitest.pid, 'SIGKILL')
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.kill(-vitest.pid, 'SIGKILL'))
vitest.on('exit', (code) => {
  clearInterval(watch)
  rmSync(folder, { recursive: true, force: true })
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
  console.log(
    `objects ${values.from} to ${Number(values.from) + Number(values.objects) - 1}, seed ${values.seed}: ${seconds} s, at most ${mostMb} MB`,
  )
  if (code !== 0) {
    console.log(`something was found: see ${findings}`)
    process.exitCode = 1
  }
})
