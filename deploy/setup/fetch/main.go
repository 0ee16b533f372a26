// Command fetch gets a page and prints its status and text, since a fresh machine
// may have no curl. It tries for ten seconds.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	client := &http.Client{Timeout: 2 * time.Second}
	var err error
	for range 20 {
		var r *http.Response
		if r, err = client.Get(os.Args[1]); err == nil {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
			r.Body.Close()
			fmt.Printf("HTTP %d from %s: %s", r.StatusCode, os.Args[1], body)
			if r.StatusCode != http.StatusOK {
				os.Exit(1)
			}
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "fetch:", err)
	os.Exit(1)
}
