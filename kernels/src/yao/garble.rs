//! Both sides of a garbled circuit, for many instances at once.
//!
//! A wire of an instance has a label for 0, and one for 1 that is it ^ `offset`; the lowest bit of
//! `offset` is one, so that the lowest bits of both labels differ. The evaluator holds one of the
//! two. What comes out is shared: the lowest bits of the label for 0 and of the one that the
//! evaluator holds differ where the bit is one.
//!
//! The evaluator's input bits b come by random transfers, of which the garbler has m0, m1 and the
//! evaluator a choice c and m_c. The garbler sends m0 ^ m1 ^ offset at once, masked by the message
//! that the evaluator lacks: so m0 ^ c offset is held, a label of c. Once d = b ^ c has come, the
//! label of d follows, of a wire of its own. b = c ^ d is free.
//!
//! What goes at once, in labels: the hash's key, the labels of the garbler's bits, the m0 ^ m1 ^
//! offset, two rows for each gate that takes a table. All lie input after input, gate after gate,
//! instance by instance within.
//!
//! No branch and no address depends on a bit or on a label.

use super::circuit::{Circuit, Gate};
use super::hash::Hash;
use crate::ot::key::{Key, masked, xor};
use crate::words::prg::Stream;

/// All ones where the lowest bit is one.
fn sign(label: Key) -> u64 {
    (label[0] & 1).wrapping_neg()
}

/// What the garbler keeps until d has come, and its shares of what comes out.
pub struct Garbled {
    /// What goes at once.
    pub sent: Vec<Key>,
    /// The labels for 0 of the evaluator's d.
    pub zeros: Vec<Key>,
    /// What the label for 1 differs by.
    pub offset: Key,
    /// This side's shares, 0 or 1, output after output.
    pub shares: Vec<u8>,
}

/// Garbles the circuit. `bits`: the garbler's, 0 or 1; `messages`: of a transfer for each bit of the
/// evaluator.
pub fn garble(
    circuit: &Circuit,
    instances: usize,
    stream: &Stream,
    bits: &[u8],
    messages: [&[Key]; 2],
) -> Garbled {
    let count = circuit.inputs * instances;
    let drawn = stream.words(0, 2 * (2 + 2 * count));
    let (drawn, _) = drawn.as_chunks::<2>();
    let offset = [drawn[0][0] | 1, drawn[0][1]];
    let (own, zeros) = drawn[2..].split_at(count);
    let mut sent = Vec::with_capacity(circuit.sent(instances));
    sent.push(drawn[1]);
    sent.extend(
        own.iter()
            .zip(bits)
            .map(|(zero, bit)| xor(*zero, masked(offset, u64::from(*bit & 1).wrapping_neg()))),
    );
    let [m0, m1] = messages;
    sent.extend(m0.iter().zip(m1).map(|(m0, m1)| xor(xor(*m0, *m1), offset)));

    let mut wires = Vec::with_capacity(circuit.wires() * instances);
    wires.extend_from_slice(own);
    wires.extend(m0.iter().zip(zeros).map(|(m0, zero)| xor(*m0, *zero)));
    let (mut hash, mut hashed, mut tweak) = (Hash::new(drawn[1]), Vec::new(), 0);
    for gate in &circuit.gates {
        let of = |wire: usize| wire * instances..(wire + 1) * instances;
        match *gate {
            Gate::Xor(a, b) => {
                for (a, b) in of(a).zip(of(b)) {
                    wires.push(xor(wires[a], wires[b]));
                }
            }
            Gate::Not(a) => {
                for a in of(a) {
                    wires.push(xor(wires[a], offset));
                }
            }
            Gate::And(a, b) => {
                hashed.clear();
                for wire in [a, b] {
                    hashed.extend_from_slice(&wires[of(wire)]);
                    hashed.extend(wires[of(wire)].iter().map(|zero| xor(*zero, offset)));
                }
                // Of a's labels the even numbers, of b's the odd ones.
                hash.replace(&mut hashed, |place| {
                    let (of_b, instance) = (place / (2 * instances), place % instances);
                    2 * (tweak + instance as u64) + of_b as u64
                });
                for instance in 0..instances {
                    let zeros = [a, b].map(|wire| wires[wire * instances + instance]);
                    let hashed = [0, 1, 2, 3].map(|label| hashed[label * instances + instance]);
                    let (rows, out) = tables(zeros, hashed, offset);
                    sent.extend(rows);
                    wires.push(out);
                }
                tweak += instances as u64;
            }
        }
    }
    let shares = outputs(circuit, instances, &wires);
    Garbled { sent, zeros: zeros.to_vec(), offset, shares }
}

/// Both rows of an and gate, and the label for 0 of what comes out. `zeros`: of a and b; `hashed`:
/// H of a's labels for 0 and 1, and of b's.
fn tables([a, b]: [Key; 2], [a0, a1, b0, b1]: [Key; 4], offset: Key) -> ([Key; 2], Key) {
    let generator = xor(xor(a0, a1), masked(offset, sign(b)));
    let evaluator = xor(xor(b0, b1), a);
    let left = xor(a0, masked(generator, sign(a)));
    let right = xor(b0, masked(xor(evaluator, a), sign(b)));
    ([generator, evaluator], xor(left, right))
}

/// Evaluates the circuit: the shares of the evaluator. `sent`: what came at once; `choices`, 0 or 1,
/// and `chosen`: of the transfers; `labels`: of d.
pub fn evaluate(
    circuit: &Circuit,
    instances: usize,
    sent: &[Key],
    choices: &[u8],
    chosen: &[Key],
    labels: &[Key],
) -> Vec<u8> {
    let count = circuit.inputs * instances;
    let (key, rest) = (sent[0], &sent[1..]);
    let (own, rest) = rest.split_at(count);
    let (given, mut rows) = rest.split_at(count);
    let mut wires = Vec::with_capacity(circuit.wires() * instances);
    wires.extend_from_slice(own);
    for (((given, choice), message), label) in given.iter().zip(choices).zip(chosen).zip(labels) {
        let taken = masked(*given, u64::from(*choice & 1).wrapping_neg());
        wires.push(xor(xor(*message, taken), *label));
    }
    let (mut hash, mut hashed, mut tweak) = (Hash::new(key), Vec::new(), 0);
    for gate in &circuit.gates {
        let of = |wire: usize| wire * instances..(wire + 1) * instances;
        match *gate {
            Gate::Xor(a, b) => {
                for (a, b) in of(a).zip(of(b)) {
                    wires.push(xor(wires[a], wires[b]));
                }
            }
            Gate::Not(a) => wires.extend_from_within(of(a)),
            Gate::And(a, b) => {
                hashed.clear();
                hashed.extend_from_slice(&wires[of(a)]);
                hashed.extend_from_slice(&wires[of(b)]);
                hash.replace(&mut hashed, |place| {
                    2 * (tweak + (place % instances) as u64) + (place / instances) as u64
                });
                let (table, after) = rows.split_at(2 * instances);
                rows = after;
                for (instance, [generator, evaluator]) in table.as_chunks().0.iter().enumerate() {
                    let [a, b] = [a, b].map(|wire| wires[wire * instances + instance]);
                    let left = xor(hashed[instance], masked(*generator, sign(a)));
                    let right = masked(xor(*evaluator, a), sign(b));
                    wires.push(xor(left, xor(hashed[instances + instance], right)));
                }
                tweak += instances as u64;
            }
        }
    }
    outputs(circuit, instances, &wires)
}

/// The lowest bits of the labels of what comes out.
fn outputs(circuit: &Circuit, instances: usize, wires: &[Key]) -> Vec<u8> {
    let of = |wire: &usize| &wires[wire * instances..(wire + 1) * instances];
    circuit.outputs.iter().flat_map(of).map(|label| (label[0] & 1) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    fn plain(circuit: &Circuit, inputs: &[u8]) -> Vec<u8> {
        let mut wires = inputs.to_vec();
        for gate in &circuit.gates {
            wires.push(match *gate {
                Gate::Xor(a, b) => wires[a] ^ wires[b],
                Gate::And(a, b) => wires[a] & wires[b],
                Gate::Not(a) => 1 ^ wires[a],
            });
        }
        circuit.outputs.iter().map(|&wire| wires[wire]).collect()
    }

    fn keys(seed: u8, count: usize) -> Vec<Key> {
        drawn(seed, 2 * count).as_chunks().0.to_vec()
    }

    fn bits(seed: u8, count: usize) -> Vec<u8> {
        drawn(seed, count).iter().map(|word| (word >> 7 & 1) as u8).collect()
    }

    /// A circuit of random gates on `inputs` bits of each side.
    fn random(seed: u8, inputs: usize, gates: usize) -> Circuit {
        let words = drawn(seed, 3 * gates);
        let rows: Vec<[u32; 3]> = (2 * inputs..)
            .zip(words.as_chunks::<3>().0)
            .map(|(wires, of)| [0, 1, 2].map(|at| (of[at] >> 9) % [3, wires, wires][at] as u64))
            .map(|row| row.map(|number| number as u32))
            .collect();
        let outputs: Vec<u32> = (0..(2 * inputs + gates) as u32).collect();
        Circuit::new(inputs, &rows, &outputs).unwrap()
    }

    #[test]
    fn shares_of_every_wire_are_what_it_carries() {
        for (seed, instances) in [(1, 1), (2, 5), (3, 40)] {
            let (inputs, gates) = (7, 60);
            let circuit = random(seed, inputs, gates);
            let count = inputs * instances;
            let (own, theirs, choices) = (bits(4, count), bits(5, count), bits(6, count));
            let (m0, m1) = (keys(7, count), keys(8, count));
            let garbled = garble(&circuit, instances, &Stream::new(&[9; 16]), &own, [&m0, &m1]);
            assert_eq!(garbled.sent.len(), circuit.sent(instances));
            assert_eq!(garbled.offset[0] & 1, 1);
            let pick = |of: [Key; 2], bit: u8| of[usize::from(bit)];
            let chosen: Vec<Key> =
                (0..count).map(|at| pick([m0[at], m1[at]], choices[at])).collect();
            let labels: Vec<Key> = (0..count)
                .map(|at| {
                    let zero = garbled.zeros[at];
                    pick([zero, xor(zero, garbled.offset)], theirs[at] ^ choices[at])
                })
                .collect();
            let shares = evaluate(&circuit, instances, &garbled.sent, &choices, &chosen, &labels);
            for instance in 0..instances {
                let of = |bits: &[u8]| -> Vec<u8> {
                    bits.iter().copied().skip(instance).step_by(instances).collect()
                };
                let expected = plain(&circuit, &[of(&own), of(&theirs)].concat());
                let found: Vec<u8> =
                    of(&shares).iter().zip(of(&garbled.shares)).map(|(a, b)| a ^ b).collect();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn labels_that_are_sent_say_nothing_of_the_bits() {
        // Of all that is sent at once only the garbler's own labels follow from its bits.
        let circuit = random(1, 3, 20);
        let (m0, m1) = (keys(7, 3), keys(8, 3));
        let [first, second] = [[0, 0, 0], [1, 1, 1]]
            .map(|own| garble(&circuit, 1, &Stream::new(&[9; 16]), &own, [&m0, &m1]));
        for (at, (a, b)) in first.sent.iter().zip(&second.sent).enumerate() {
            let expected = if (1..4).contains(&at) { first.offset } else { [0; 2] };
            assert_eq!(xor(*a, *b), expected);
        }
    }

    #[test]
    fn what_is_no_circuit_is_refused() {
        assert!(Circuit::new(1, &[[0, 0, 1]], &[2]).is_some());
        assert!(Circuit::new(1, &[[0, 0, 2]], &[2]).is_none());
        assert!(Circuit::new(1, &[[3, 0, 1]], &[2]).is_none());
        assert!(Circuit::new(1, &[[0, 0, 1]], &[3]).is_none());
    }
}
