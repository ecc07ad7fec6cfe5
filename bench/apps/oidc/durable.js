// The promise of a ledger for oidc-provider: what must survive, and what must happen once, is in PostgreSQL. That is the
// grant, which is committed before its code exists, and the code, which one guarded UPDATE consumes. All else is in Redis.
import pg from 'pg';
import RedisAdapter from './adapter.js';

const LASTING = ['Grant', 'AuthorizationCode'];
const pool = new pg.Pool({ connectionString: process.env.OIDC_PG_URL, max: 8 });

// A statement with a name is parsed once for each connection.
const ask = (name, text, ...values) => pool.query({ name, text, values });

export async function prepare() {
  await pool.query('DROP TABLE IF EXISTS oidc_artifacts');
  await pool.query(`CREATE TABLE oidc_artifacts (
    kind text, id text, grant_id text, artifact jsonb NOT NULL, ends_at timestamptz, consumed_at timestamptz,
    PRIMARY KEY (kind, id))`);
  await pool.query('CREATE INDEX ON oidc_artifacts (grant_id)');
}

class LedgerAdapter {
  constructor(kind) { this.kind = kind; }

  async upsert(id, artifact, seconds) {
    await ask('keep', `INSERT INTO oidc_artifacts (kind, id, grant_id, artifact, ends_at)
      VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second')
      ON CONFLICT (kind, id) DO UPDATE SET artifact = excluded.artifact, ends_at = excluded.ends_at`,
    this.kind, id, artifact.grantId ?? null, artifact, seconds ?? null);
  }

  async find(id) {
    const found = await ask('find', `SELECT artifact, extract(epoch FROM consumed_at)::int AS consumed
      FROM oidc_artifacts WHERE kind = $1 AND id = $2 AND (ends_at IS NULL OR ends_at > now())`, this.kind, id);
    if (found.rowCount === 0) return undefined;
    const { artifact, consumed } = found.rows[0];
    return consumed === null ? artifact : { ...artifact, consumed };
  }

  async consume(id) {
    const first = await ask('consume', `UPDATE oidc_artifacts SET consumed_at = now()
      WHERE kind = $1 AND id = $2 AND consumed_at IS NULL`, this.kind, id);
    if (first.rowCount === 0) throw new Error(`${this.kind} was consumed before`);
  }

  async destroy(id) {
    await ask('destroy', 'DELETE FROM oidc_artifacts WHERE kind = $1 AND id = $2', this.kind, id);
  }

  async revokeByGrantId(grantId) {
    await ask('revoke', 'DELETE FROM oidc_artifacts WHERE grant_id = $1', grantId);
  }
}

// oidc-provider asks for an adapter by the name of a model.
export default function adapterFor(kind) {
  return LASTING.includes(kind) ? new LedgerAdapter(kind) : new RedisAdapter(kind);
}
