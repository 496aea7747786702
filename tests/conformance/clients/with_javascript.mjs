// The AWS SDK for JavaScript, version 3. One call for every line on standard input, as line_by_line.py has it.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(process.env.CONFORMANCE_NODE_MODULES + "/");
const { S3Client, PutObjectCommand, GetObjectCommand } = require("@aws-sdk/client-s3");

const Bucket = process.env.CONFORMANCE_BUCKET;
const s3 = new S3Client({ endpoint: process.env.CONFORMANCE_URL, region: "us-east-1", forcePathStyle: true });

console.log("ready");
let number = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  try {
    await s3.send(new PutObjectCommand({ Bucket, Key: "js", Body: String(number) }));
    const read = await (await s3.send(new GetObjectCommand({ Bucket, Key: "js" }))).Body.transformToString();
    console.log(read === String(number) ? "ok" : `fail read ${read}`);
  } catch (error) {
    console.log(`fail ${error.name}: ${String(error.message).replace(/\s+/g, " ").slice(0, 400)}`);
  }
  number += 1;
}
