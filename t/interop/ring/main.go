// Prints t/unit/ring_vectors.h: which seed peers Dragonfly's scheduler would pick
// for some tasks, by the package that it uses. Run by hand:
//
//	cd t/interop/ring && go run . > ../../unit/ring_vectors.h
package main

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"stathat.com/c/consistent"
)

const tasks = 12

var fleets = [][]string{
	{"10.0.0.1:4000"},
	{"10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.3:4000"},
	{"192.0.2.7:65535", "[2001:db8::1]:4000", "[2001:db8::1]:4001",
		"198.51.100.200:1", "[2001:db8:0:1::2]:14100"},
}

// The order in which a task moves on as one seed peer after the other is gone.
func order(fleet []string, task string) string {
	index := map[string]int{}
	ring := consistent.New()

	for i, address := range fleet {
		index[address] = i
		ring.Add(address)
	}

	var places []string

	for range fleet {
		address, err := ring.Get(task)
		if err != nil {
			panic(err)
		}

		places = append(places, fmt.Sprint(index[address]))
		ring.Remove(address)
	}

	return strings.Join(places, ", ")
}

func main() {
	fmt.Println("/* Printed by t/interop/ring. */")

	for i, fleet := range fleets {
		fmt.Printf("\nstatic const char *const  fleet_%d[] = {\n", i)

		for _, address := range fleet {
			fmt.Printf("    %q,\n", address)
		}

		fmt.Printf("};\n\nstatic const vector_t  vectors_%d[] = {\n", i)

		for task := 0; task < tasks; task++ {
			id := fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(task))))
			fmt.Printf("    { \"%s\"\n      \"%s\",\n      { %s } },\n",
				id[:32], id[32:], order(fleet, id))
		}

		fmt.Println("};")
	}
}
