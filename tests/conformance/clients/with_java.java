// The AWS SDK for Java, version 2. One call for every line on standard input, as line_by_line.py has it.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;

class Conformance {
    public static void main(String[] arguments) throws IOException {
        String bucket = System.getenv("CONFORMANCE_BUCKET");
        S3Client s3 = S3Client.builder()
                .endpointOverride(URI.create(System.getenv("CONFORMANCE_URL")))
                .region(Region.US_EAST_1)
                .forcePathStyle(true)
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .build();
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (int number = 0; lines.readLine() != null; number++) {
            try {
                String body = String.valueOf(number);
                s3.putObject(request -> request.bucket(bucket).key("java"), RequestBody.fromString(body));
                String read = s3.getObjectAsBytes(request -> request.bucket(bucket).key("java")).asUtf8String();
                System.out.println(read.equals(body) ? "ok" : "fail read " + read);
            } catch (RuntimeException error) {
                System.out.println("fail " + String.valueOf(error).replaceAll("\\s+", " "));
            }
        }
    }
}
