import { join } from 'node:path'
import { runDatabaseSuite } from '../../conformance/database-suite.ts'
import { openTestDatabase, temporaryFolder } from '../../support/database-values.ts'

runDatabaseSuite('in memory', () => openTestDatabase())
runDatabaseSuite('in a file', () => openTestDatabase(join(temporaryFolder(), 'metadata.db')))
