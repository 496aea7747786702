# The AWS SDK for Ruby, version 3. One call for every line on standard input, as line_by_line.py has it.
require "aws-sdk-s3"

bucket, url = ENV.fetch("CONFORMANCE_BUCKET"), ENV.fetch("CONFORMANCE_URL")
options = { endpoint: url, region: "us-east-1", force_path_style: true }
if ENV["CONFORMANCE_DOOR"] == "imds"
  # Before 3.191.5 the port of the metadata service's endpoint was not heeded (aws/aws-sdk-ruby pull request 2998): it is told here.
  port = URI(ENV.fetch("AWS_EC2_METADATA_SERVICE_ENDPOINT")).port
  options[:credentials] = Aws::InstanceProfileCredentials.new(port: port)
end
s3 = Aws::S3::Client.new(**options)

$stdout.sync = true
puts "ready"
$stdin.each_line.with_index do |_, number|
  s3.put_object(bucket: bucket, key: "ruby", body: number.to_s)
  read = s3.get_object(bucket: bucket, key: "ruby").body.read
  puts read == number.to_s ? "ok" : "fail read #{read}"
rescue StandardError => error
  puts "fail #{error.class}: #{error.message.split.join(' ')[0, 400]}"
end
