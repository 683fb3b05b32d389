// Says what kstatus makes of an object: Flux, Argo CD, Helm and `kubectl` plugins wait by it. The object comes by standard
// input as JSON, and the status and the message go to standard output.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	// Its own reader: whole numbers are int64 there, as kstatus wants them.
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		log.Fatal(err)
	}
	result, err := status.Compute(&object)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", result.Status, result.Message)
}
