<?php
// AsyncAws, from Debian's php-async-aws-sqs. One call for every line on standard input, as line_by_line.py has it.

use AsyncAws\Sqs\SqsClient;

require 'AsyncAws/Sqs/autoload.php';

$sqs = new SqsClient(['endpoint' => getenv('CONFORMANCE_URL'), 'region' => 'us-east-1']);
$queue = ['QueueName' => getenv('CONFORMANCE_BUCKET')];

echo "ready\n";
while (fgets(STDIN) !== false) {
    try {
        $url = $sqs->createQueue($queue)->getQueueUrl();
        $sqs->sendMessage(['QueueUrl' => $url, 'MessageBody' => 'x'])->resolve();
        echo "ok\n";
    } catch (Throwable $error) {
        echo 'fail ', preg_replace('/\s+/', ' ', get_class($error) . ': ' . $error->getMessage()), "\n";
    }
}
