import { defineConfig } from 'drizzle-kit'

/** `npm run db:generate` writes the difference between the schema and the last migration to `migrations/`. */
export default defineConfig({
  dialect: 'sqlite',
  schema: './src/database/schema/index.ts',
  out: './migrations',
})
