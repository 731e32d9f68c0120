// Kills the built command at every step of every scenario, starts it again, and checks what came of it:
//   node scripts/crash-points.mjs [--scenario NAME] [--every N] [--seed S] [--jobs J] [--recovery N] [--inside]
//     --scenario NAME  only those whose name begins so
//     --every N        every N-th point, begun at one that the seed picks (default 1: all of them)
//     --seed S         default 1
//     --jobs J         scenes at once (default: one for each core)
//     --recovery N     kills the next start, too: at each of its steps, after N points of each scenario (default 0)
//     --inside         starts again within the test's own process: half the time
// Ends with 1 when a point failed, and names its folder, which is kept.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const usage =
  'usage: node scripts/crash-points.mjs [--scenario NAME] [--every N] [--seed S] [--jobs J] [--recovery N] [--inside]'
const numbers = ['every', 'seed', 'jobs', 'recovery']
let values
try {
  const names = ['scenario', ...numbers]
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  values = parseArgs({ options: { ...options, inside: { type: 'boolean' } } }).values
  for (const name of numbers)
    if (values[name] !== undefined && !/^[0-9]+$/.test(values[name])) throw new Error(`--${name} is a number`)
} catch (error) {
  console.error(`${error.message}\n${usage}`)
  process.exit(2)
}
const settings = Object.entries(values).map(([name, value]) => [
  `CRASH_POINTS_${name.toUpperCase()}`,
  String(value),
])
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/crash-points', '--reporter=dot', '--testTimeout=0'],
  {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, CRASH_POINTS: 'all', ...Object.fromEntries(settings) },
    stdio: 'inherit',
  },
)
process.exit(status ?? 1)
