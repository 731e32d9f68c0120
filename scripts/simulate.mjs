// Compiles the simulator and runs it: node scripts/simulate.mjs --seeds N [--seed S] [--log] …
// (see test/simulator/main.ts). Also `npm run simulate -- …`.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const built = path.join(root, 'build/simulator')

const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
const compiled = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.simulator.json'], {
  cwd: root,
  stdio: 'inherit',
})
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
// The database looks for its migrations beside the folder with the source.
const migrations = path.join(built, 'migrations')
fs.rmSync(migrations, { recursive: true, force: true })
fs.cpSync(path.join(root, 'migrations'), migrations, { recursive: true })

const { status } = spawnSync(
  process.execPath,
  [path.join(built, 'test/simulator/main.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exit(status ?? 1)
