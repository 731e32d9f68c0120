import { spawn } from 'node:child_process'

/**
 * Stops this whole process, its watching thread with it, lets another one work on the folder meanwhile, and goes on:
 * nobody sees what happens before all of it has happened, as on a machine that is too busy.
 */
export async function whileStopped(cwd: string, script: string): Promise<void> {
  const child = spawn('sh', ['-c', `kill -STOP $1; ${script}; kill -CONT $1`, 'sh', String(process.pid)], {
    cwd,
    stdio: 'ignore',
  })
  await new Promise((resolve) => child.once('close', resolve))
}
