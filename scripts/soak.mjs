// Real `davit serve` processes on a real server, with people, programs, crashes and outages, checked every few minutes:
//   node scripts/soak.mjs [--minutes M] [--server apache|rclone|…] [--instances N] [--seed S]
//                         [--check-every MIN] [--files N] [--keep]
// Ends with 1 at the first violation and leaves its folder; otherwise the folder goes, unless --keep.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

function read() {
  const text = { type: 'string' }
  const { values } = parseArgs({
    options: {
      minutes: { ...text, default: '30' },
      server: { ...text, default: 'apache' },
      instances: { ...text, default: '4' },
      seed: { ...text, default: String(Math.floor(Math.random() * 2 ** 31)) },
      'check-every': { ...text, default: '5' },
      files: { ...text, default: '300' },
      keep: { type: 'boolean', default: false },
    },
  })
  const number = (name, least) => {
    const value = Number(values[name])
    if (!(value >= least)) throw new Error(`--${name} has to be a number of at least ${least}`)
    return value
  }
  return {
    minutes: number('minutes', 0.5),
    server: values.server,
    instances: number('instances', 2),
    seed: number('seed', 0),
    checkEveryMinutes: number('check-every', 0.2),
    files: number('files', 10),
    keep: values.keep,
  }
}

let options
try {
  options = read()
} catch (error) {
  console.error(error.message)
  process.exit(2)
}
const root = new URL('..', import.meta.url)
if (!existsSync(new URL('dist/cli/main.js', root))) {
  console.error('dist/ is not built: npm run build')
  process.exit(2)
}
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/soak/soak.test.ts', '-t', 'agree, lose nothing'],
  { cwd: root, env: { ...process.env, DAVIT_SOAK: JSON.stringify(options) }, stdio: 'inherit' },
)
process.exit(status ?? 1)
