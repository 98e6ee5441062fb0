import { Database } from './database.js';
import { SCHEMA } from './schema.js';

const database = new Database();
if (database.isThere()) {
  await database.change(SCHEMA);
  console.log(`the schema has all ${SCHEMA.length} changes`);
} else {
  console.log('this stack has no database');
}
