package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/skerry/skerry/bus"
)

// Bounds of what the streams keep.
const (
	// KeptEventBytes are some 25,000 events, which every apiserver has in memory. When it is
	// full the stream drops the oldest ones without a marker.
	KeptEventBytes = 24 << 20

	keptRevisions  = 250
	keptEvents     = time.Hour
	keptAudit      = 7 * 24 * time.Hour
	keptAuditBytes = 1 << 30
	// expiryMarker is how long a marker tells watchers that a value expired. A
	// watcher that was away for longer finds the key missing from its fresh list.
	expiryMarker = time.Minute
)

// Provision creates or updates the buckets and streams that Skerry needs: state
// (atomic batches, message TTLs, republished to watch.state.>), revisions, leases,
// events, audit. Idempotent; needs the apiserver's credentials.
func Provision(ctx context.Context, conn *bus.Conn) error {
	js, err := jetstream.New(conn.NC)
	if err != nil {
		return fmt.Errorf("open jetstream: %w", err)
	}
	for _, c := range streams() {
		if err := provision(ctx, js, c); err != nil {
			return fmt.Errorf("provision stream %s: %w", c.Name, err)
		}
	}
	return nil
}

func provision(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			// Another replica was faster, with another version's configuration.
			stream, err = js.Stream(ctx, want.Name)
		} else {
			return err
		}
	}
	if err != nil {
		return err
	}
	have := stream.CachedInfo().Config
	next := overlay(have, want)
	if reflect.DeepEqual(have, next) {
		return nil
	}
	_, err = js.UpdateStream(ctx, next)
	return err
}

// overlay returns have with everything that want decides. The rest (replicas,
// placement, the server's own metadata, what cannot be changed) stays as an
// operator or the server set it.
func overlay(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	next := have
	next.Metadata = maps.Clone(have.Metadata)
	if !slices.Equal(have.Subjects, want.Subjects) {
		next.Subjects = want.Subjects
	}
	next.Description = want.Description
	next.MaxMsgsPerSubject = want.MaxMsgsPerSubject
	next.MaxAge = want.MaxAge
	next.MaxBytes = want.MaxBytes
	next.Discard = want.Discard
	next.Duplicates = want.Duplicates
	next.AllowDirect = want.AllowDirect
	next.AllowRollup = want.AllowRollup
	next.AllowMsgTTL = want.AllowMsgTTL
	next.SubjectDeleteMarkerTTL = want.SubjectDeleteMarkerTTL
	next.AllowAtomicPublish = want.AllowAtomicPublish
	next.DenyDelete = have.DenyDelete || want.DenyDelete
	if want.RePublish == nil || have.RePublish == nil || *want.RePublish != *have.RePublish {
		next.RePublish = want.RePublish
	}
	return next
}

// streams are all streams' configurations.
func streams() []jetstream.StreamConfig {
	state := bucket(bus.BucketState, "desired, assigned, observed and current state of the cluster")
	state.AllowAtomicPublish = true
	state.RePublish = republish(bus.BucketState, "$KV.state.>")

	revisions := bucket(bus.BucketRevisions, "what was desired before")
	revisions.MaxMsgsPerSubject = keptRevisions
	revisions.AllowAtomicPublish = true

	leases := bucket(bus.BucketLeases, "leaders")
	leases.Storage = jetstream.MemoryStorage
	leases.SubjectDeleteMarkerTTL = expiryMarker
	leases.RePublish = republish(bus.BucketLeases, "$KV.leases.>")

	events := bucket(bus.StreamEvents, "Kubernetes events")
	events.Name, events.Subjects = bus.StreamEvents, []string{"events.>"}
	events.MaxAge, events.MaxBytes, events.Discard = keptEvents, KeptEventBytes, jetstream.DiscardOld
	events.SubjectDeleteMarkerTTL = expiryMarker
	events.PersistMode = jetstream.AsyncPersistMode
	events.RePublish = republish(bus.StreamEvents, "events.>")

	return []jetstream.StreamConfig{state, revisions, leases, events, {
		Name:        bus.StreamAudit,
		Description: "who asked for what",
		Subjects:    []string{"audit.>"},
		MaxAge:      keptAudit,
		MaxBytes:    keptAuditBytes,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		Replicas:    1,
		Duplicates:  duplicates,
		MaxMsgs:     -1, MaxConsumers: -1, MaxMsgSize: -1, MaxMsgsPerSubject: -1,
		DenyDelete:  true,
		AllowDirect: true,
		PersistMode: jetstream.AsyncPersistMode,
	}}
}

// duplicates is the server's default window. Writes are made idempotent by their
// revision, not by a message id.
const duplicates = 2 * time.Minute

// bucket is a KV bucket's stream: one value per key, kept for ever, on disk.
func bucket(name, description string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        "KV_" + name,
		Description: description,
		Subjects:    []string{"$KV." + name + ".>"},
		Storage:     jetstream.FileStorage,
		Replicas:    1,
		Discard:     jetstream.DiscardNew,
		Duplicates:  duplicates,
		MaxMsgs:     -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		MaxMsgsPerSubject: 1,
		DenyDelete:        true,
		// Expiry markers roll up their subject.
		AllowRollup: true,
		AllowDirect: true,
		AllowMsgTTL: true,
	}
}

func republish(bucket, source string) *jetstream.RePublish {
	return &jetstream.RePublish{Source: source, Destination: bus.WatchSubject(bucket, ">")}
}
