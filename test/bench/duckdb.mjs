// Runs each line of its input as a statement in DuckDB on one thread; answers
// with the process's CPU time and the clock's, in nanoseconds, then "@@done".
import { createInterface } from 'node:readline';
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    await connection.runAndReadAll(line);
    const used = process.cpuUsage(cpu);
    const took = process.hrtime.bigint() - start;
    console.log(`${(used.user + used.system) * 1000} ${took}`);
  } catch (error) {
    console.log(String(error.message).split('\n')[0]);
  }
  console.log('@@done');
}
