/** `davit init`: checks the remote, joins its store or creates one, writes the configuration. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DavitError } from '../../model/errors.ts'
import { type CommandContext, loadConfiguration, log } from '../command.ts'
import { describeRun } from '../describe-run.ts'
import { exitCodeOfRun } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'
import { writeConfiguration } from '../write-configuration.ts'

export async function init(context: CommandContext): Promise<number> {
  const { io, settings } = context
  // Where the configuration goes, not where it comes from.
  const { DAVIT_CONFIG: fromEnvironment } = io.environment
  const { config = fromEnvironment, ...rest } = settings
  const environment = { ...io.environment, DAVIT_CONFIG: undefined }
  const configuration = await loadConfiguration({ ...context, io: { ...io, environment } }, rest)
  const { workspace } = configuration
  const file = typeof config === 'string' ? resolve(io.cwd, config) : join(workspace, '.davit', 'davit.yml')
  if (existsSync(file)) {
    throw new DavitError('configuration-invalid', `${file} is there already`, {
      action: 'ask',
      hint: 'This workspace is set up. Change the file, or remove it to begin again.',
    })
  }

  const instance = await context.engine.openInstance(configuration, {
    create: true,
    background: false,
    log: log(context),
  })
  try {
    // A dry run joins the store, or makes it, and moves no file.
    const run = await instance.sync({ dryRun: true, setUp: true, trigger: 'command' }).finished
    if (run.outcome !== 'in-sync' && run.outcome !== 'conflicts') {
      if (context.json) printJson(io, run)
      else describeRun(io, run)
      return exitCodeOfRun(run)
    }
    const { instance: name } = instance.status()
    await writeConfiguration(context, { ...configuration, instance: name }, file)
    if (context.json) printJson(io, { configuration: file, workspace, instance: name, version: run.version })
    else {
      const found =
        run.version === 0 ? 'the store is ready and empty' : `joined the store at version ${run.version}`
      print(io, `${found}; the configuration is in ${file}`)
      print(io, "next: 'davit sync' for one run, 'davit serve' to keep the workspace in sync")
    }
    return 0
  } finally {
    await instance.close()
  }
}
