/** All tables of the local `metadata.db`; `npm run db:generate` turns changes here into a migration. */
export * from './chain.ts'
export * from './conflicts.ts'
export * from './contents.ts'
export * from './operation.ts'
export * from './trees.ts'
