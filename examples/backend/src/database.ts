import { readFile } from 'node:fs/promises';
import { Injectable, Logger } from '@nestjs/common';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Client } from 'pg';

/** Milliseconds that connecting and a query may take: less than the load balancer waits. */
const LONGEST = 5_000;
/** Milliseconds that a change of the schema may take: less than the kit's hook waits. */
const LONGEST_CHANGE = 300_000;

/**
 * The database, if there is one. DATABASE_HOST and DATABASE_SECRET (the ARN of RDS's own secret) name it, or
 * DATABASE_URL alone does. DATABASE_CA is the file with the authorities that the server is proven by. RDS changes the
 * password by itself, so it is read for each connection and never kept.
 */
@Injectable()
export class Database {
  isThere(): boolean {
    return Boolean(process.env.DATABASE_URL ?? process.env.DATABASE_SECRET);
  }

  /** The database's own time: a query that needs no table. */
  async time(): Promise<Date> {
    return this.connected(async (client) => {
      const { rows } = await client.query<{ now: Date }>('select now() as now');
      const [row] = rows;
      if (row === undefined) throw new Error('the database answered without a row');
      return row.now;
    });
  }

  /** Runs changes of the schema, all of them or none. */
  async change(statements: string[]): Promise<void> {
    const text = ['begin', ...statements, 'commit'].join(';\n');
    await this.connected((client) => client.query(text), LONGEST_CHANGE);
  }

  private async connected<T>(ask: (client: Client) => Promise<T>, longest = LONGEST): Promise<T> {
    const client = new Client({ ...(await this.whereTo()), connectionTimeoutMillis: LONGEST, query_timeout: longest });
    // A connection that breaks says so to its query and here as well; an error that nobody listens to ends the process.
    client.on('error', (error) => new Logger('Database').warn(`the connection broke: ${error.message}`));
    try {
      await client.connect();
      return await ask(client);
    } finally {
      await client.end();
    }
  }

  private async whereTo() {
    const { DATABASE_URL, DATABASE_SECRET, DATABASE_HOST, DATABASE_NAME, DATABASE_CA } = process.env;
    if (DATABASE_URL !== undefined) return { connectionString: DATABASE_URL };
    const answer = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: DATABASE_SECRET }));
    const { username, password } = JSON.parse(answer.SecretString ?? '{}') as { username?: string; password?: string };
    // The server has to prove its name. RDS's certificates are signed by authorities of its own, which Node does not know.
    const ssl = DATABASE_CA ? { ca: await readFile(DATABASE_CA, 'utf8') } : {};
    return { host: DATABASE_HOST, database: DATABASE_NAME ?? 'postgres', user: username, password, ssl };
  }
}
