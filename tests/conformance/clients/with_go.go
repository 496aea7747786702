// The AWS SDK for Go, version 2. One call for every line on standard input, as line_by_line.py has it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	ctx := context.Background()
	bucket, url := os.Getenv("CONFORMANCE_BUCKET"), os.Getenv("CONFORMANCE_URL")
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client := s3.NewFromConfig(settings, func(o *s3.Options) {
		o.BaseEndpoint = aws.String(url)
		o.UsePathStyle = true
	})
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String("go"), Body: strings.NewReader("x"),
		})
		if err == nil {
			_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("go")})
		}
		if err != nil {
			fmt.Println("fail", strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Println("ok")
		}
	}
}
